"""Measures of a running contender over HTTP: whole lives, requests and accepts a second, latencies, reads."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import psycopg

from bench.machine import spending
from bench.results import Results, Row
from tests.booking_system import Booking, BookingSystem
from tests.eventually import eventually
from tests.load import Connection, Load, closed_loop, fixed_rate, percentile

WARM_UP_CLIENTS, WARM_UP_SECONDS = 2, 1.5
# When a client looks whether its session is there, and how much longer it waits each time. A look is a request that the
# contender pays for: at a fixed rate, most requests to a slow one would be looks.
FIRST_POLL_SECONDS, MAX_POLL_SECONDS, POLL_GROWTH = 0.02, 0.25, 1.5
FINE_POLL_SECONDS = 0.003
IDLE_SECONDS = 0.1
COUNTERS_SECONDS = 1.2
OF_A_LIFE = "of a life, 4 clients: "
ACCEPTS_A_SECOND = 10
READ_CLIENTS = 16
READ_BOOKING = "GET a booking"
DRAIN_SECONDS = 120
LONGEST_SESSION_SECONDS = 60


def live(contender: BookingSystem, connection: Connection) -> Booking:
    """One whole life of a booking, without waiting for its effects; returns the booking with its session."""
    booking = contender.accept(connection, contender.request(connection))
    session_id = wait_for_session(contender, connection, booking)
    held = Booking(booking.id, booking.offer, session_id)
    contender.start(connection, held)
    contender.complete(connection, held)
    return held


def wait_for_session(
    contender: BookingSystem, connection: Connection, booking: Booking, poll_seconds: float | None = None
) -> str:
    """Poll until the session of an accepted booking can be read, and return its id.

    Args:
        poll_seconds: between two looks; None for ever longer ones.
    Raises:
        TimeoutError: it cannot be read in time.
    """
    end = time.monotonic() + LONGEST_SESSION_SECONDS
    wait = FIRST_POLL_SECONDS
    while (session_id := contender.find_session(connection, booking)) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"Booking {booking.id} has no session after {LONGEST_SESSION_SECONDS} s.")
        time.sleep(poll_seconds or wait)
        wait = min(wait * POLL_GROWTH, MAX_POLL_SECONDS)
    return session_id


_WRITTEN = """
SELECT pg_stat_clear_snapshot(), xact_commit, pg_current_wal_lsn() - '0/0'::pg_lsn,
       pg_database_size(current_database()),
       (SELECT sum(n_tup_ins) FROM pg_stat_user_tables), (SELECT sum(n_tup_upd) FROM pg_stat_user_tables)
FROM pg_stat_database WHERE datname = current_database()
"""

_LOG = ("write-ahead log", "KiB")


def written(database_url: str) -> dict[tuple[str, str], float]:
    """What PostgreSQL has done so far, by name and unit. Its counters come up to a second late."""
    time.sleep(COUNTERS_SECONDS)
    with psycopg.connect(database_url, autocommit=True) as db:
        row = db.execute(_WRITTEN).fetchone()
    assert row is not None
    _, commits, wal_bytes, stored_bytes, inserted, updated = map(float, (0, *row[1:]))
    return {
        ("commits", "count"): commits,
        ("rows inserted", "count"): inserted,
        ("rows updated", "count"): updated,
        _LOG: wal_bytes / 1024,
        ("stored", "KiB"): stored_bytes / 1024,
    }


@dataclass
class Lives:
    """Lives measured on one contender since it was started."""

    contender: BookingSystem  # with its people, and idle
    results: Results  # where the figures go
    done: int = 0

    def measure(self, clients: int, seconds: float) -> None:
        """Lives a second until every effect is done, and processor milliseconds a life, by so many clients."""
        if not self.done:
            self._run(WARM_UP_CLIENTS, WARM_UP_SECONDS)
        name = self.contender.name
        title = f"{name}, {plural(clients)}"
        before = written(self.contender.database_url)
        with spending(self.contender.pids) as spent:
            load, drained = self._run(clients, seconds)
        rate = load.count / (drained - load.began)
        self.results.add(lives_row(clients), name, rate)
        self.results.add(processor_row(clients), name, spent.total * 1000 / load.count)
        each = {process: seconds * 1000 / load.count for process, seconds in spent.seconds.items()}
        self.results.add_processes(title, each)
        if clients == 4:
            for (what, unit), after in written(self.contender.database_url).items():
                row = Row(f"{OF_A_LIFE}{what}", unit, more_is_better=False)
                self.results.add(row, name, (after - before[what, unit]) / load.count)

    def measure_time(self, row: Row, clients: int, seconds: float) -> None:
        """Milliseconds from one life that is over with all its effects to the next, by so many clients."""
        self._run(WARM_UP_CLIENTS, WARM_UP_SECONDS)
        load, drained = self._run(clients, seconds)
        self.results.add(row, self.contender.name, (drained - load.began) / load.count * 1000)

    def measure_log(self, row: Row, clients: int, lives: int) -> None:
        """Log of each of so many lives after a checkpoint: each page is in it whole at its first change."""
        url = self.contender.database_url
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("CHECKPOINT")
        before = written(url)[_LOG]
        load, _drained = self._run(clients, count=lives)
        self.results.add(row, self.contender.name, (written(url)[_LOG] - before) / load.count)

    def _run(self, clients: int, seconds: float = float("inf"), count: int = 0) -> tuple[Load, float]:
        load = closed_loop(self.contender.url, clients, partial(live, self.contender), seconds=seconds, count=count)
        self.done += load.count
        drained = wait_until_finished(self.contender, self.done)
        self.contender.require_effects(self.done)
        return load, drained


def wait_until_finished(contender: BookingSystem, lives: int) -> float:
    """Wait until every effect of so many lives is done; returns when that was, on the monotonic clock."""
    eventually(
        lambda: contender.has_finished(lives), f"{contender.name}: effects of {lives} lives", seconds=DRAIN_SECONDS
    )
    return time.monotonic()


@dataclass
class Rates:
    """Requests and accepts a second, of a contender whose workers are off."""

    contender: BookingSystem  # with its people
    results: Results  # where the figures go
    seconds: float  # how long requests are sent for; what they made is then accepted

    def warm_up(self) -> None:
        """Send a few of each, so that connections, caches and prepared statements are there."""
        self._accept(4, self._request(4, 1)[1])

    def measure(self, clients: int) -> None:
        """Both, by so many clients."""
        requests, drafts = self._request(clients, self.seconds)
        self._keep("requests", requests, clients)
        self._keep("accepts", self._accept(clients, drafts), clients)

    def _request(self, clients: int, seconds: float) -> tuple[Load, list[Booking]]:
        drafts: list[Booking] = []

        def request(connection: Connection) -> None:
            drafts.append(self.contender.request(connection))

        return closed_loop(self.contender.url, clients, request, seconds=seconds), drafts

    def _accept(self, clients: int, drafts: list[Booking]) -> Load:
        waiting = iter(drafts)

        def accept(connection: Connection) -> None:
            self.contender.accept(connection, next(waiting))

        return closed_loop(self.contender.url, clients, accept)

    def _keep(self, what: str, load: Load, clients: int) -> None:
        self.results.add(rate_row(what, clients), self.contender.name, load.per_second)
        for percent in (50, 99):
            keep_latency(self.results, self.contender.name, what, percent, load.percentile_ms(percent), clients)


def rate_row(what: str, clients: int) -> Row:
    """Requests or accepts a second."""
    by_hand = (("hand-written", 0.8),) if what == "accepts" and clients == 16 else ()
    aims = (*((("usual", 1.5),) if clients > 1 else ()), *by_hand)
    return Row(f"{what}, workers off, {plural(clients)}", "a second", aims=aims)


def keep_latency(results: Results, contender: str, what: str, percent: int, ms: float, clients: int) -> None:
    """Keep how long they took."""
    results.add(Row(f"{what}, workers off, {plural(clients)}, p{percent}", "ms", more_is_better=False), contender, ms)


def measure_sessions(contender: BookingSystem, results: Results, samples: int) -> None:
    """How long it is from sending an accept until the session can be read: one by one, and at ten a second."""
    connection = Connection(contender.url)
    idle = []
    for _ in range(samples):
        booking = contender.request(connection)
        time.sleep(IDLE_SECONDS)
        idle.append(_accept_and_read(contender, connection, booking))
    drafts = iter([contender.request(connection) for _ in range(samples * 2)])
    connection.close()

    def accept(own: Connection) -> None:
        busy.append(_accept_and_read(contender, own, next(drafts)))

    busy: list[float] = []
    fixed_rate(contender.url, ACCEPTS_A_SECOND, samples * 2, accept)
    for name, values in (("idle", idle), (f"at {ACCEPTS_A_SECOND} accepts a second", busy)):
        for percent in (50, 99):
            row = Row(f"accept until the session can be read, {name}, p{percent}", "ms", more_is_better=False)
            results.add(row, contender.name, percentile(sorted(values), percent) * 1000)


def _accept_and_read(contender: BookingSystem, connection: Connection, booking: Booking) -> float:
    began = time.perf_counter()
    accepted = contender.accept(connection, booking)
    wait_for_session(contender, connection, accepted, FINE_POLL_SECONDS)
    return time.perf_counter() - began


def measure_reads(
    contender: BookingSystem, results: Results, reads: Mapping[str, Callable[[Connection], object]], seconds: float
) -> None:
    """Reads a second by 16 clients.

    Args:
        reads: one request each, by what it reads.
    """
    for name, read in reads.items():
        load = closed_loop(contender.url, READ_CLIENTS, read, seconds=seconds)
        aims = (("hand-written", 0.6),) if name == READ_BOOKING else ()
        results.add(Row(f"{name}, {plural(READ_CLIENTS)}", "a second", aims=aims), contender.name, load.per_second)


def lives_row(clients: int) -> Row:
    """Lives a second."""
    aims = (("usual", 1.8),) if clients == 4 else ()
    return Row(f"lives until all effects are done, {plural(clients)}", "a second", aims=aims)


def processor_row(clients: int) -> Row:
    """The cost of a life."""
    name = f"processor time of a life, all processes, {plural(clients)}"
    return Row(name, "ms", more_is_better=False, aims=(("usual", 0.5),))


def plural(clients: int) -> str:
    """The number of clients in words of a report."""
    return "1 client" if clients == 1 else f"{clients} clients"
