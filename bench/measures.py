"""What is measured on a running contender over HTTP: whole lives, requests and accepts a second, latencies, reads."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass

from bench.contenders.base import Booking, Contender
from bench.load import Connection, Load, closed_loop
from bench.machine import spending
from bench.profiling import Profiler
from bench.results import Results, Row

WARM_UP_CLIENTS, WARM_UP_SECONDS = 2, 1.5
# How often a client looks whether its session is there. Each look is a request that the contender pays for.
POLL_SECONDS = 0.025
DRAIN_POLL_SECONDS = 0.05
DRAIN_SECONDS = 120
LONGEST_SESSION_SECONDS = 60


def live(contender: Contender, connection: Connection) -> None:
    """One whole life of a booking, without waiting for its effects."""
    booking = contender.accept(connection, contender.request(connection))
    session_id = wait_for_session(contender, connection, booking)
    held = Booking(booking.id, booking.offer, session_id)
    contender.start(connection, held)
    contender.complete(connection, held)


def wait_for_session(contender: Contender, connection: Connection, booking: Booking) -> str:
    """Poll until the session of an accepted booking can be read, and return its id.

    Raises:
        TimeoutError: it cannot be read in time.
    """
    end = time.monotonic() + LONGEST_SESSION_SECONDS
    while (session_id := contender.find_session(connection, booking)) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"Booking {booking.id} has no session after {LONGEST_SESSION_SECONDS} s.")
        time.sleep(POLL_SECONDS)
    return session_id


@dataclass
class Lives:
    """Lives measured on one contender since it was started.

    Args:
        contender: with its people, and idle.
        results: where the figures go.
        profiler: looks into its processes meanwhile.
    """

    contender: Contender
    results: Results
    profiler: Profiler | None = None
    done: int = 0

    def measure(self, clients: int, seconds: float) -> None:
        """Lives a second until every effect is done, and processor milliseconds a life, by so many clients."""
        if not self.done:
            self._run(WARM_UP_CLIENTS, WARM_UP_SECONDS)
        name = self.contender.name
        title = f"{name}, {plural(clients)}"
        recording = self.profiler.recording(title, self.contender.pids, seconds) if self.profiler else nullcontext()
        with recording, spending(self.contender.pids) as spent:
            load, drained = self._run(clients, seconds)
        rate = load.count / (drained - load.began)
        self.results.add(lives_row(clients), name, rate)
        self.results.add(processor_row(clients), name, spent.total * 1000 / load.count)
        each = {process: seconds * 1000 / load.count for process, seconds in spent.seconds.items()}
        self.results.add_processes(title, each)

    def _run(self, clients: int, seconds: float) -> tuple[Load, float]:
        def work(connection: Connection) -> bool:
            live(self.contender, connection)
            return True

        load = closed_loop(self.contender.url, clients, work, seconds=seconds)
        self.done += load.count
        drained = wait_until_finished(self.contender, self.done)
        self.contender.require_effects(self.done)
        return load, drained


def wait_until_finished(contender: Contender, lives: int) -> float:
    """Wait until every effect of so many lives is done; returns when that was, on the monotonic clock.

    Raises:
        TimeoutError: some are still owed after DRAIN_SECONDS.
    """
    end = time.monotonic() + DRAIN_SECONDS
    while not contender.has_finished(lives):
        if time.monotonic() > end:
            raise TimeoutError(f"{contender.name}: effects of {lives} lives are still owed after {DRAIN_SECONDS} s.")
        time.sleep(DRAIN_POLL_SECONDS)
    return time.monotonic()


def lives_row(clients: int) -> Row:
    """Lives a second."""
    return Row(
        f"lives until all effects are done, {plural(clients)}",
        "a second",
        against="usual",
        aim=1.8 if clients == 4 else None,
    )


def processor_row(clients: int) -> Row:
    """What a life costs."""
    return Row(
        f"processor time of a life, all processes, {plural(clients)}",
        "ms",
        more_is_better=False,
        against="usual",
        aim=0.5,
    )


def plural(clients: int) -> str:
    """The number of clients in words of a report."""
    return "1 client" if clients == 1 else f"{clients} clients"
