"""Whether accepts are slower beside a thousand open streams: in turn without and with them, on the same system."""

import json
import resource
import selectors
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from bench.machine import Spent, memory_mebibytes, spending
from bench.results import Results, Row
from tests.booking_system import Booking, Tutelage
from tests.load import Connection, fixed_rate, percentile

ALONE = "without streams"
STREAMS = 1_000
TURNS = 4  # each without and with streams
ACCEPTS, ACCEPTS_A_SECOND = 100, 20
WARM_UP = 40
OPEN_SECONDS = 60
# Five connections a user are enough for people; here a few users have them all.
ENVIRONMENT = {"STREAMS_PER_USER": "0"}
TITLE = f"accepts at {ACCEPTS_A_SECOND} a second beside {STREAMS:,} open streams"


def measure_streams(contender: Tutelage, results: Results) -> None:
    """Latencies of accepts at a fixed rate, and what the process of live updates takes meanwhile.

    The streams follow the calendars of the mentors who accept, as many of each: every accept is sent to some thirty.

    Args:
        contender: with its people, without workers, and with ENVIRONMENT.
    """
    _accept(contender, _drafts(contender, WARM_UP))
    for _ in range(TURNS):
        _measure_accepts(contender, results, ALONE)
        with open_streams(contender):
            spent = _measure_accepts(contender, results, contender.name)
            memory, _largest = memory_mebibytes(contender.pids["streams"])
        row = Row(f"{TITLE}, processor time of live updates an accept", "ms", more_is_better=False)
        results.add(row, contender.name, spent.seconds["streams"] * 1000 / ACCEPTS)
        row = Row(f"memory of live updates, {STREAMS:,} streams", "MiB", more_is_better=False)
        results.add(row, contender.name, memory)


def _measure_accepts(contender: Tutelage, results: Results, name: str) -> Spent:
    drafts = _drafts(contender, ACCEPTS)
    with spending({process: contender.pids[process] for process in ("api", "postgres", "streams")}) as spent:
        latencies = _accept(contender, drafts)
    for percent in (50, 95):
        aims = ((ALONE, 1.1),) if percent == 50 else ()
        row = Row(f"{TITLE}, p{percent}", "ms", more_is_better=False, aims=aims)
        results.add(row, name, percentile(latencies, percent) * 1000)
    # The machine's other work makes latencies longer, and hardly this.
    row = Row(f"{TITLE}, processor time of API and PostgreSQL", "ms", more_is_better=False, aims=((ALONE, 1.1),))
    results.add(row, name, (spent.seconds["api"] + spent.seconds["postgres"]) * 1000 / ACCEPTS)
    return spent


def _drafts(contender: Tutelage, count: int) -> list[Booking]:
    connection = Connection(contender.url)
    drafts = [contender.request(connection) for _ in range(count)]
    connection.close()
    return drafts


def _accept(contender: Tutelage, drafts: Sequence[Booking]) -> Sequence[float]:
    waiting = iter(drafts)

    def accept(connection: Connection) -> None:
        contender.accept(connection, next(waiting))

    return fixed_rate(contender.url, ACCEPTS_A_SECOND, len(drafts), accept).latencies


@contextmanager
def open_streams(contender: Tutelage) -> Iterator[None]:
    """So many open streams, each with its snapshot, that are read all the time; closed with the block.

    Raises:
        TimeoutError: some have no snapshot in time.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * STREAMS)), hard))
    address = urlsplit(json.loads((contender.data_dir / "run.json").read_text())["streams"]["url"])
    waiting: set[socket.socket] = set()
    ready = selectors.DefaultSelector()
    for number in range(STREAMS):
        offer = contender.offers[number % len(contender.offers)]
        client = socket.create_connection((address.hostname or "127.0.0.1", address.port or 80))
        path = f"/streams/availability?mentorProfileId={offer.mentor_id}"
        head = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nX-User-Id: {offer.mentee_id}\r\n\r\n"
        client.sendall(head.encode())
        client.setblocking(False)
        ready.register(client, selectors.EVENT_READ)
        waiting.add(client)
    closing = threading.Event()

    def read() -> None:
        while not closing.is_set():
            for key, _events in ready.select(0.1):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                if b"event: snapshot" in client.recv(65_536):
                    waiting.discard(client)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        end = time.monotonic() + OPEN_SECONDS
        while waiting:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(waiting)} of {STREAMS} streams have no snapshot after {OPEN_SECONDS} s.")
            time.sleep(0.05)
        yield
    finally:
        closing.set()
        reader.join()
        for key in list(ready.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        ready.close()
