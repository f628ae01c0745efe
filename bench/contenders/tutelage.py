"""Tutelage as it ships: `tutelage up` in a data folder of its own, spoken to through its public interfaces alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from bench.contenders.base import OFFERS, Booking, Contender, Offer, process
from bench.load import Connection
from bench.machine import ROOT
from cli.seeding.people import FAMILY_NAMES, GIVEN_NAMES

NAME = "Tutelage"
START_SECONDS = 180
ENDPOINT_SECONDS = 30
# What the API needs, and nothing that works on effects.
WITHOUT_WORKERS = (
    *(f"worker-{queue}" for queue in ("sessions", "reviews", "notifications", "analytics", "webhooks")),
    "sweep",
    "maintain",
    "flower",
)
# One mentee of each mentor asks for all of the load, and from one address: what is counted costs as much as ever.
UNLIMITED = {
    "MAX_OPEN_DRAFTS_PER_MENTOR": "0",
    "MAX_OPEN_DRAFTS": "0",
    "MAX_WITHDRAWALS_PER_DAY": "0",
    "MAIL_GATHER_AFTER": "0",
    "RATE_LIMIT_CALLER": "1000000/minute",
    "RATE_LIMIT_ADDRESS": "1000000/minute",
    "RATE_LIMIT_BOOKING": "1000000/minute",
    "CONNECTIONS_PER_ADDRESS": "0",
}
# As few for each person as by default: requests for bookings are counted one by one then.
FEW_BOOKINGS_EACH = {"RATE_LIMIT_BOOKING": "60/second"}
# What is tried again or postponed is due within minutes; timers of the load's bookings are due after a day or more.
_OWED = "SELECT count(*) FROM deliveries WHERE state = 'pending' AND due_at < now() + interval '1 hour'"
_DEAD = "SELECT count(*) FROM deliveries WHERE state = 'dead'"
MAILS_A_LIFE = 5
WEBHOOKS_A_LIFE = 6


@dataclass
class Tutelage(Contender):
    """A running Tutelage."""

    data_dir: Path = Path()
    ready_seconds: float = 0
    operator: str = ""

    def request(self, connection: Connection) -> Booking:
        """Ask for a booking."""
        offer, start = self.next_slot()
        body = {"listingId": offer.listing_id, "startTime": start}
        answer = connection.request("POST", "/bookings", _mentee(offer), body)
        if answer.status not in (201, 202):
            raise RuntimeError(f"POST /bookings answered {answer.status}: {answer.body[:500]!r}")
        return Booking(answer.json()["id"], offer, answer.json()["sessionId"] or "")

    def accept(self, connection: Connection, booking: Booking) -> Booking:
        """Accept a draft; the answer names the session to be."""
        answer = connection.request("POST", f"/bookings/{booking.id}/accept", _mentor(booking.offer), expect=202)
        return Booking(booking.id, booking.offer, answer.json()["sessionId"])

    def find_session(self, connection: Connection, booking: Booking) -> str | None:
        """Read the session by the id that the acceptance named."""
        answer = connection.request("GET", f"/sessions/{booking.session_id}", _mentee(booking.offer))
        return booking.session_id if answer.status == 200 else None

    def start(self, connection: Connection, booking: Booking) -> None:
        """Start the session."""
        connection.request("POST", f"/sessions/{booking.session_id}/start", _mentor(booking.offer), expect=200)

    def complete(self, connection: Connection, booking: Booking) -> None:
        """Complete it."""
        connection.request("POST", f"/sessions/{booking.session_id}/complete", _mentor(booking.offer), expect=200)

    def read(self, connection: Connection, booking: Booking) -> None:
        """Read the booking."""
        connection.request("GET", f"/bookings/{booking.id}", _mentee(booking.offer), expect=200)

    def read_nothing(self, connection: Connection) -> None:
        """The server's own empty answer."""
        connection.request("GET", "/health/live", {}, expect=200)

    def list_bookings(self, connection: Connection, offer: Offer) -> None:
        """Read the first page of a mentee's bookings."""
        connection.request("GET", "/bookings?role=mentee", _mentee(offer), expect=200)

    def list_sessions(self, connection: Connection, offer: Offer) -> None:
        """Read the first page of a mentor's sessions."""
        connection.request("GET", "/sessions/mentor/my-sessions", _mentor(offer), expect=200)

    def has_finished(self, lives: int) -> bool:  # noqa: ARG002 - the rows say it
        """Whether no delivery is owed, timers apart."""
        return self.number(_OWED) == 0

    def require_effects(self, lives: int) -> None:
        """Look that nothing failed for good, and that the mails are in their folder."""
        dead, mails = self.number(_DEAD), sum(1 for _ in (self.data_dir / "mail").glob("*"))
        if dead or mails < lives * MAILS_A_LIFE:
            raise AssertionError(f"{dead} dead deliveries; {mails} mails of {lives} lives.")

    def number(self, query: str) -> int:
        """The single number that a query gives."""
        with psycopg.connect(self.database_url, autocommit=True) as db:
            row = db.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0

    def ask_operator(self, connection: Connection, method: str, path: str, body: object = None) -> Any:
        """A request as an operator; the answer's JSON."""
        answer = connection.request(method, path, {"Authorization": f"Bearer {self.operator}"}, body)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {answer.body[:500]!r}")
        return answer.json() if answer.body else None

    def add_offers(self, count: int = OFFERS, *, mode: str = "request", course_id: str | None = None) -> None:
        """Register mentors with a listing each, and a mentee for each of them; the load uses these from now on.

        Args:
            course_id: which the listings are of.
        """
        connection = Connection(self.url)
        self.offers = [self._offer(connection, number, mode, course_id) for number in range(count)]
        connection.close()

    def add_endpoint(self, url: str) -> str:
        """Make a webhook endpoint that listens to everything, and wait until it has answered its ping; its id."""
        connection = Connection(self.url)
        made = self.ask_operator(connection, "POST", "/webhook-endpoints", {"url": url, "eventTypes": ["*"]})
        end = time.monotonic() + ENDPOINT_SECONDS
        while self.ask_operator(connection, "GET", f"/webhook-endpoints/{made['id']}")["state"] != "active":
            if time.monotonic() > end:
                raise TimeoutError(f"The webhook endpoint is not active after {ENDPOINT_SECONDS} s.")
            time.sleep(0.05)
        connection.close()
        return str(made["id"])

    def delete_endpoint(self, endpoint_id: str) -> None:
        """Delete a webhook endpoint."""
        connection = Connection(self.url)
        self.ask_operator(connection, "DELETE", f"/webhook-endpoints/{endpoint_id}")
        connection.close()

    def _offer(self, connection: Connection, number: int, mode: str, course_id: str | None) -> Offer:
        mentor, mentee = (
            self.ask_operator(
                connection, "POST", "/users", {"email": _address(), "name": _name(number), "timeZone": "UTC"}
            )
            for _ in range(2)
        )
        profile = connection.request(
            "POST", "/mentor-profiles", {"X-User-Id": mentor["id"]}, {"headline": "Mentor"}, expect=201
        ).json()
        listing = {
            "title": "An hour",
            "durationMinutes": 60,
            "price": {"amount": 4500, "currency": "EUR"},
            "bookingMode": mode,
            "courseId": course_id,
            # The load starts sessions long before their hour.
            "earlyStartMinutes": None,
        }
        offer = Offer(profile["id"], mentee["id"])
        made = connection.request("POST", "/listings", _mentor(offer), listing, expect=201).json()
        return Offer(profile["id"], mentee["id"], made["id"])


def _mentee(offer: Offer) -> dict[str, str]:
    return {"X-User-Id": offer.mentee_id}


def _mentor(offer: Offer) -> dict[str, str]:
    return {"X-Mentor-Profile-Id": offer.mentor_id}


def _address() -> str:
    return f"{uuid4().hex}@bench.example"


def _name(number: int) -> str:
    return f"{GIVEN_NAMES[number % len(GIVEN_NAMES)]} {FAMILY_NAMES[number % len(FAMILY_NAMES)]}"


@contextmanager
def running_tutelage(
    folder: Path, *, without: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Tutelage]:
    """`tutelage up` until it is ready; people are added by the measurement.

    Args:
        folder: its data folder.
        without: parts that are left out.
        environment: settings over the defaults.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "up.log"
    left_out = [word for name in without for word in ("--without", name)]
    words = ["cli.main", "up", "--data-dir", str(folder), "--port", "0", "--flower-port", "0", *left_out]
    began = time.monotonic()
    with process(words, {**UNLIMITED, **(environment or {})}, log) as up:
        run = _wait_until_ready(folder / "run.json", up, log)
        parts = {each["name"]: each["pid"] for each in run["processes"]}
        # As the server is called elsewhere.
        pids = {"postgres": parts.pop("postgres"), "valkey": parts.pop("redis"), **parts, "supervision": up.pid}
        yield Tutelage(
            name=NAME,
            url=run["api"]["url"],
            database_url=run["database_url"],
            pids=pids,
            data_dir=folder,
            ready_seconds=time.monotonic() - began,
            operator=_operator_token(),
        )


def _wait_until_ready(file: Path, up: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    end = time.monotonic() + START_SECONDS
    while not file.exists():
        if up.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"tutelage up is not ready:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)
    run: dict[str, Any] = json.loads(file.read_text())
    return run


def _operator_token() -> str:
    command = [sys.executable, "-m", "cli.main", "token", "--operator", "--hours", "24"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
