"""A backlog of accepted bookings: how many sessions a second one worker makes of it."""

import time

from bench.results import Results, Row
from tests.booking_system import Tutelage
from tests.eventually import eventually
from tests.load import closed_loop
from tests.processes import stopped

ACCEPTED_BOOKINGS = 5_000
CLIENTS = 16
LONGEST_SECONDS = 300


def keep_sessions(results: Results, contender: str, per_second: float) -> None:
    """Keep how fast a backlog became sessions."""
    row = Row("sessions of a backlog of accepted bookings, one worker", "a second", aims=(("DBOS", 5.0),))
    results.add(row, contender, per_second)


def drain_tutelage(contender: Tutelage, results: Results, bookings: int = ACCEPTED_BOOKINGS) -> None:
    """Stop the workers, make instant bookings, and let the sessions' worker go on until all sessions exist.

    The other workers stay stopped meanwhile: whom this is put beside does nothing else either.
    """
    contender.add_offers(bookingMode="instant")
    workers = {name: pid for name, pid in contender.pids.items() if name.startswith("worker-")}
    sessions = workers.pop("worker-sessions")
    before = contender.number("SELECT count(*) FROM sessions")
    with stopped(*workers.values()):
        with stopped(sessions):
            closed_loop(contender.url, CLIENTS, contender.request, count=bookings)
        began = time.monotonic()
        everything = f"SELECT count(*) >= {before + bookings} FROM sessions"
        eventually(lambda: contender.number(everything), "all sessions", seconds=LONGEST_SECONDS)
        keep_sessions(results, contender.name, bookings / (time.monotonic() - began))
