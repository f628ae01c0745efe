"""The usual application without a guarantee, under gunicorn, with Celery's defaults and Flower beside it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.contenders.base import process, wait_for_http
from cli.embedded import free_port, start_postgres
from tests.booking_system import OFFERS, Booking, BookingSystem, Offer
from tests.embedded_servers import start_valkey
from tests.load import Connection

NAME = "usual"
APPLICATION = "bench.contenders.usual_app"
NOTIFICATIONS_A_LIFE, ATTEMPTS_A_LIFE, COUNTS_A_LIFE, MAILS_A_LIFE = 9, 6, 5, 5
_DONE = """
SELECT (SELECT count(*) FROM notifications), (SELECT count(*) FROM attempts), (SELECT coalesce(sum(n), 0) FROM counts),
       (SELECT count(*) FROM permits)
"""


@dataclass
class Usual(BookingSystem):
    """A running one."""

    mails: Path = Path()

    def request(self, connection: Connection) -> Booking:
        """Ask for a booking."""
        offer, start = self.next_slot()
        body = {"mentor": offer.mentor_id, "startTime": start}
        answer = connection.request("POST", "/bookings", offer.as_mentee, body, expect=201)
        return Booking(answer.json()["id"], offer)

    def accept(self, connection: Connection, booking: Booking) -> Booking:
        """Accept a draft."""
        connection.request("PATCH", f"/bookings/{booking.id}/accept", booking.offer.as_mentor, {}, expect=202)
        return booking

    def find_session(self, connection: Connection, booking: Booking) -> str | None:
        """Read the session of the booking."""
        answer = connection.request("GET", f"/bookings/{booking.id}/session", booking.offer.as_mentee)
        return str(answer.json()["id"]) if answer.status == 200 else None

    def start(self, connection: Connection, booking: Booking) -> None:
        """Start the session."""
        connection.request("PATCH", f"/sessions/{booking.session_id}/start", booking.offer.as_mentor, {}, expect=200)

    def complete(self, connection: Connection, booking: Booking) -> None:
        """Complete it."""
        connection.request("PATCH", f"/sessions/{booking.session_id}/complete", booking.offer.as_mentor, {}, expect=200)

    def read(self, connection: Connection, booking: Booking) -> None:
        """It has no such route."""
        raise NotImplementedError

    def has_finished(self, lives: int) -> bool:
        """Whether as many rows and mails are there as so many lives make."""
        with psycopg.connect(self.database_url, autocommit=True) as db:
            row = db.execute(_DONE).fetchone()
        assert row is not None
        notifications, attempts, counts, permits = row
        return bool(
            notifications >= lives * NOTIFICATIONS_A_LIFE
            and attempts >= lives * ATTEMPTS_A_LIFE
            and counts >= lives * COUNTS_A_LIFE
            and permits >= lives
            and sum(1 for _ in os.scandir(self.mails)) >= lives * MAILS_A_LIFE
        )

    def require_effects(self, lives: int) -> None:
        """It has finished when they are there."""
        if not self.has_finished(lives):
            raise AssertionError(f"Effects of {lives} lives are missing.")


@contextmanager
def running_usual(folder: Path, hook: str, *, workers: bool = True) -> Iterator[Usual]:
    """Servers as the product's, gunicorn with two processes of eight threads, one Celery worker, and Flower.

    Args:
        folder: everything of it lies here.
        hook: where its webhooks go.
        workers: whether the Celery worker and Flower run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mails = folder / "mail"
    mails.mkdir()
    with ExitStack() as stack:
        postgres = start_postgres(folder / "postgres")
        stack.callback(postgres.stop)
        valkey = start_valkey(folder / "redis")
        stack.callback(valkey.stop)
        environment = {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "MAIL_FOLDER": str(mails),
            "HOOK": hook,
        }
        with process([APPLICATION], environment, folder / "tables.log") as tables:
            if tables.wait(60) != 0:
                raise RuntimeError((folder / "tables.log").read_text()[-3000:])
        port = free_port()
        pids = {"postgres": postgres.process.pid, "valkey": valkey.process.pid}
        programs = {"api": ["gunicorn", "--bind", f"127.0.0.1:{port}", *_GUNICORN, f"{APPLICATION}:app"]}
        if workers:
            programs |= {"worker": _WORKER, "flower": [*_FLOWER, f"--port={free_port()}", f"--db={folder}/flower.db"]}
        for name, words in programs.items():
            program = stack.enter_context(process(words, environment, folder / f"{name}.log"))
            pids[name] = program.pid
            if name == "api":
                wait_for_http(f"http://127.0.0.1:{port}", "/people", program, folder / "api.log", status=405)
        yield Usual(
            name=NAME,
            url=f"http://127.0.0.1:{port}",
            database_url=postgres.url,
            pids=pids,
            offers=_people(f"http://127.0.0.1:{port}"),
            mails=mails,
        )


_GUNICORN = ["--workers", "2", "--worker-class", "gthread", "--threads", "8", "--keep-alive", "75"]
_CELERY = ["celery", "--app", f"{APPLICATION}:celery"]
_WORKER = [*_CELERY, "worker", "--queues", "celery,webhooks", "--loglevel", "INFO"]
_FLOWER = [
    *_CELERY,
    "flower",
    "--address=127.0.0.1",
    "--persistent",
    "--state_save_interval=30000",
    "--max_tasks=20000",
]


def _people(url: str) -> list[Offer]:
    connection = Connection(url)
    made = [connection.request("POST", "/people", {}, {}, expect=201).json() for _ in range(OFFERS)]
    connection.close()
    return [Offer(each["mentor"], each["mentee"]) for each in made]
