"""A backlog of accepted bookings: how many sessions a second one worker makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count

import psutil

from bench.contenders.tutelage import Tutelage
from bench.load import Connection, closed_loop
from bench.results import Results, Row

ACCEPTED_BOOKINGS = 5_000
CLIENTS = 16
LONGEST_SECONDS = 300
POLL_SECONDS = 0.05
SIGNAL_POLL_SECONDS = 0.002


def keep_sessions(results: Results, contender: str, per_second: float) -> None:
    """Keep how fast a backlog became sessions."""
    row = Row("sessions of a backlog of accepted bookings, one worker", "a second", aims=(("DBOS", 5.0),))
    results.add(row, contender, per_second)


def drain_tutelage(contender: Tutelage, results: Results, bookings: int = ACCEPTED_BOOKINGS) -> None:
    """Stop the workers, have instant bookings made, and let that of the sessions go on until all of these exist.

    The other workers stay stopped meanwhile: whom this is put beside does nothing else either.
    """
    contender.add_offers(mode="instant")
    workers = {name: pid for name, pid in contender.pids.items() if name.startswith("worker-")}
    sessions = workers.pop("worker-sessions")
    before = contender.number("SELECT count(*) FROM sessions")
    with stopped(workers.values()):
        with stopped([sessions]):
            _accept(contender, bookings)
        began = time.monotonic()
        _wait_for(contender, before + bookings, began + LONGEST_SECONDS)
        keep_sessions(results, contender.name, bookings / (time.monotonic() - began))


def _accept(contender: Tutelage, bookings: int) -> None:
    def work(connection: Connection) -> bool:
        contender.request(connection)
        return True

    closed_loop(contender.url, CLIENTS, work, count=bookings)


def _wait_for(contender: Tutelage, sessions: int, end: float) -> None:
    for _look in count():
        found = contender.number("SELECT count(*) FROM sessions")
        if found >= sessions:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{found} of {sessions} sessions exist after {LONGEST_SECONDS} s.")
        time.sleep(POLL_SECONDS)


@contextmanager
def stopped(pids: Iterable[int]) -> Iterator[None]:
    """Suspend these processes and their children for the time of a `with` block."""
    processes = [each for pid in pids for each in _family(pid)]
    for each in processes:
        each.suspend()
    # The kernel stops a process that runs at its next chance, not at once.
    while any(each.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE) for each in processes):
        time.sleep(SIGNAL_POLL_SECONDS)
    try:
        yield
    finally:
        for each in processes:
            each.resume()


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]
