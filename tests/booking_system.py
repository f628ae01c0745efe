"""Running systems that a load generator plays bookings on: what each offers, and Tutelage as it ships."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.cli.running import tutelage_up
from tests.eventually import eventually
from tests.load import Connection
from tests.participants import register
from tests.speaking import Caller

NAME = "Tutelage"
OFFERS = 32
# Far enough that no reminder of a measured session is due while it is measured.
FIRST_START_DAYS = 10
ENDPOINT_SECONDS = 30
# The processes that the API needs, and none that works on effects.
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
# Retried and postponed deliveries are due within minutes, timers of the load's bookings after a day or more.
_OWED = "SELECT count(*) FROM deliveries WHERE state = 'pending' AND due_at < now() + interval '1 hour'"
_DEAD = "SELECT count(*) FROM deliveries WHERE state = 'dead'"
MAILS_A_LIFE = 5


@dataclass(frozen=True)
class Offer:
    """A mentor with something to book, and a mentee who books only with them: no two bookings want one time."""

    mentor_id: str
    mentee_id: str
    listing_id: str = ""

    @property
    def as_mentor(self) -> dict[str, str]:
        return {"X-Mentor-Profile-Id": self.mentor_id}

    @property
    def as_mentee(self) -> dict[str, str]:
        return {"X-User-Id": self.mentee_id}


@dataclass(frozen=True)
class Booking:
    """A booking of the load generator."""

    id: str
    offer: Offer
    session_id: str = ""


@dataclass
class BookingSystem(ABC):
    """A running system with people in it.

    Attributes:
        name: as it stands in the report.
        url: of its HTTP server.
        database_url: for counting what is done.
        pids: the roots of its process trees by name.
        offers: who books what.
        slots: numbers of the times that have not been asked for; systems on one database share them.
    """

    name: str
    url: str
    database_url: str
    pids: dict[str, int]
    offers: list[Offer] = field(default_factory=list)
    slots: Iterator[int] = field(default_factory=count)

    def next_slot(self) -> tuple[Offer, str]:
        """An offer and a time (RFC 3339) that is not yet booked; the offers take turns."""
        hours, place = divmod(next(self.slots), len(self.offers))
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight + timedelta(days=FIRST_START_DAYS, hours=hours)
        return self.offers[place], start.isoformat()

    @abstractmethod
    def request(self, connection: Connection) -> Booking:
        """Ask for a booking: a draft."""

    @abstractmethod
    def accept(self, connection: Connection, booking: Booking) -> Booking:
        """Accept a draft."""

    @abstractmethod
    def find_session(self, connection: Connection, booking: Booking) -> str | None:
        """The id of the session of an accepted booking, once it can be read."""

    @abstractmethod
    def start(self, connection: Connection, booking: Booking) -> None:
        """Start the session."""

    @abstractmethod
    def complete(self, connection: Connection, booking: Booking) -> None:
        """Complete it."""

    @abstractmethod
    def read(self, connection: Connection, booking: Booking) -> None:
        """Read the booking."""

    def has_finished(self, lives: int) -> bool:
        """Whether every effect of so many whole lives since the start is done."""
        raise NotImplementedError(f"{self.name} has no effects.")

    def require_effects(self, lives: int) -> None:
        """Raise AssertionError when the effects of so many whole lives are not all there, now that it has finished."""
        raise NotImplementedError(f"{self.name} has no effects.")


@dataclass
class Tutelage(BookingSystem):
    """A running Tutelage."""

    data_dir: Path = Path()
    ready_seconds: float = 0

    @property
    def operator(self) -> Caller:
        return Caller(self.url).as_operator()

    def request(self, connection: Connection) -> Booking:
        """Ask for a booking."""
        offer, start = self.next_slot()
        body = {"listingId": offer.listing_id, "startTime": start}
        answer = connection.request("POST", "/bookings", offer.as_mentee, body)
        if answer.status not in (201, 202):
            raise RuntimeError(f"POST /bookings answered {answer.status}: {answer.body[:500]!r}")
        return Booking(answer.json()["id"], offer, answer.json()["sessionId"] or "")

    def accept(self, connection: Connection, booking: Booking) -> Booking:
        """Accept a draft; the answer names the session to be."""
        answer = connection.request("POST", f"/bookings/{booking.id}/accept", booking.offer.as_mentor, expect=202)
        return Booking(booking.id, booking.offer, answer.json()["sessionId"])

    def find_session(self, connection: Connection, booking: Booking) -> str | None:
        """Read the session by the id that the acceptance named."""
        answer = connection.request("GET", f"/sessions/{booking.session_id}", booking.offer.as_mentee)
        return booking.session_id if answer.status == 200 else None

    def start(self, connection: Connection, booking: Booking) -> None:
        connection.request("POST", f"/sessions/{booking.session_id}/start", booking.offer.as_mentor, expect=200)

    def complete(self, connection: Connection, booking: Booking) -> None:
        connection.request("POST", f"/sessions/{booking.session_id}/complete", booking.offer.as_mentor, expect=200)

    def read(self, connection: Connection, booking: Booking) -> None:
        connection.request("GET", f"/bookings/{booking.id}", booking.offer.as_mentee, expect=200)

    def read_nothing(self, connection: Connection) -> None:
        connection.request("GET", "/health/live", {}, expect=200)

    def list_bookings(self, connection: Connection, offer: Offer) -> None:
        connection.request("GET", "/bookings?role=mentee", offer.as_mentee, expect=200)

    def list_sessions(self, connection: Connection, offer: Offer) -> None:
        connection.request("GET", "/sessions/mentor/my-sessions", offer.as_mentor, expect=200)

    def has_finished(self, lives: int) -> bool:  # noqa: ARG002 - the rows say it
        return self.number(_OWED) == 0

    def require_effects(self, lives: int) -> None:
        """Look that nothing failed for good, and that the mails are in their folder."""
        dead, mails = self.number(_DEAD), sum(1 for _ in (self.data_dir / "mail").glob("*"))
        if dead or mails < lives * MAILS_A_LIFE:
            raise AssertionError(f"{dead} dead deliveries; {mails} mails of {lives} lives.")

    def number(self, query: str) -> int:
        with psycopg.connect(self.database_url, autocommit=True) as db:
            row = db.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0

    def add_offers(self, count: int = OFFERS, **listing: Any) -> None:
        """Register mentors with a listing each, and a mentee for each of them; the load uses these from now on.

        Args:
            listing: fields of each listing that are not as usual.
        """
        api = Caller(self.url)
        made = [register(api, durationMinutes=60, **listing) for _ in range(count)]
        self.offers = [Offer(each.mentor_profile_id, each.mentee_user_id, each.listing_id) for each in made]

    def add_endpoint(self, url: str) -> str:
        """Make a webhook endpoint that listens to everything, and wait until it has answered its ping; its id."""
        operator = self.operator
        made = str(operator.post("/webhook-endpoints", {"url": url, "eventTypes": ["*"]})["id"])

        def is_active() -> bool:
            return bool(operator.get(f"/webhook-endpoints/{made}")["state"] == "active")

        eventually(is_active, "an active webhook endpoint", seconds=ENDPOINT_SECONDS)
        return made

    def delete_endpoint(self, endpoint_id: str) -> None:
        assert self.operator("DELETE", f"/webhook-endpoints/{endpoint_id}").status == 204


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
    began = time.monotonic()
    with tutelage_up(folder, without=without, environment={**UNLIMITED, **(environment or {})}) as up:
        run = up.run()
        # As the server is called elsewhere.
        names = {"redis": "valkey"}
        pids = {names.get(each["name"], each["name"]): each["pid"] for each in run["processes"]}
        pids["supervision"] = up.process.pid
        yield Tutelage(
            name=NAME,
            url=str(run["api"]["url"]),
            database_url=run["database_url"],
            pids=pids,
            data_dir=folder,
            ready_seconds=time.monotonic() - began,
        )
        # The next start on the same folder finds a server that was shut down.
        up.process.terminate()
        up.ends()
