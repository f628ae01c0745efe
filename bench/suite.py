"""The rounds: which contender is started when, and what is measured on it while it runs."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import machine
from bench.backlog import drain_tutelage, keep_sessions
from bench.contenders import dbos, handwritten, pgbench, usual
from bench.contenders.dbos import running_dbos
from bench.contenders.handwritten import running_handwritten
from bench.contenders.usual import running_usual
from bench.growth import measure_growth, with_history
from bench.measures import (
    READ_BOOKING,
    Lives,
    Rates,
    keep_latency,
    lives_row,
    measure_reads,
    measure_sessions,
    processor_row,
    rate_row,
)
from bench.receiver import running_receiver
from bench.results import Results, Row
from bench.slots import measure_slots
from bench.storage import measure_storage
from bench.streams import ENVIRONMENT, measure_streams
from bench.webhooks import measure_webhooks
from tests import booking_system
from tests.booking_system import FEW_BOOKINGS_EACH, WITHOUT_WORKERS, Booking, Tutelage, running_tutelage
from tests.load import Connection

PRODUCT = booking_system.NAME
CONTENDERS = (PRODUCT, usual.NAME, handwritten.NAME, pgbench.NAME, dbos.NAME)
MEASURES = (
    "life",
    "sessions",
    "memory",
    "storage",
    "backlog",
    "rates",
    "reads",
    "slots",
    "streams",
    "webhooks",
    "growth",
    "start",
)
CLIENTS = (1, 4, 16)
SETTLE_SECONDS = 3
FEW_BOOKINGS, MANY_BOOKINGS = 1_000, 500_000
SINGLE_ACCEPTS = 40
DBOS_QUEUED, DBOS_DIRECT, DBOS_LIVES = 300, 1500, 60
DRAFTS_A_SECOND = 6000  # more than PostgreSQL accepts


@dataclass
class Suite:
    """The measures, the contenders, and the durations."""

    results: Results  # where the figures go
    measures: Sequence[str]  # of MEASURES
    contenders: Sequence[str]  # of CONTENDERS
    clients: Sequence[int]  # how many at a time, one after the other
    life_seconds: float  # how long lives are begun for
    rate_seconds: float  # how long requests and reads are sent for
    bookings: int  # in the large one of two databases
    say: Callable[[str], None]  # takes a line about what is done now

    def run_round(self, number: int) -> None:
        """Measure everything once; every other round goes through the contenders the other way round."""
        measurements = [*self._measurements(), *(self._long_measurements() if not number else ())]
        for title, measure in reversed(measurements) if number % 2 else measurements:
            self.say(f"Round {number + 1} of {self.results.rounds}: {title}")
            with _folder() as folder:
                measure(folder)

    def _measurements(self) -> Iterator[tuple[str, Callable[[Path], None]]]:
        if self._has("life", "sessions", "memory", "backlog") and PRODUCT in self.contenders:
            yield "Tutelage at work", self._tutelage_at_work
        if self._has("life", "sessions", "memory") and usual.NAME in self.contenders:
            yield "usual at work", self._usual_at_work
        if self._has("rates", "reads") and PRODUCT in self.contenders:
            yield "Tutelage, hand-written and pgbench, workers off", self._tutelage_alone
        if self._has("rates") and usual.NAME in self.contenders:
            yield "usual, workers off", self._usual_alone
        if self._has("life", "backlog") and dbos.NAME in self.contenders:
            yield "DBOS", self._dbos
        if self._has("slots") and PRODUCT in self.contenders:
            yield "the slots of a course, workers off", self._slots
        if self._has("streams") and PRODUCT in self.contenders:
            yield "accepts beside open streams, workers off", self._streams
        if self._has("webhooks") and PRODUCT in self.contenders:
            yield "webhooks", self._webhooks

    def _long_measurements(self) -> Iterator[tuple[str, Callable[[Path], None]]]:
        """Measures that take minutes to prepare or vary little, taken in the first round alone."""
        if self._has("growth") and PRODUCT in self.contenders:
            yield f"Tutelage with {FEW_BOOKINGS:,} and with {self.bookings:,} bookings", self._growth
        if self._has("storage") and PRODUCT in self.contenders:
            yield "what Tutelage stores of a life", self._storage
        if self._has("start") and PRODUCT in self.contenders:
            yield "Tutelage, started twice", self._start

    def _has(self, *measures: str) -> bool:
        return any(measure in self.measures for measure in measures)

    def _tutelage_at_work(self, folder: Path) -> None:
        with running_receiver() as receiver, running_tutelage(folder / "data") as contender:
            contender.add_offers()
            contender.add_endpoint(receiver.url)
            if self._has("memory"):
                time.sleep(SETTLE_SECONDS)
                self._memory(contender.name, contender.pids)
            self._lives(Lives(contender, self.results))
            if self._has("sessions"):
                measure_sessions(contender, self.results, SINGLE_ACCEPTS)
            if self._has("backlog"):
                drain_tutelage(contender, self.results)

    def _usual_at_work(self, folder: Path) -> None:
        with running_receiver() as receiver, running_usual(folder / "data", receiver.url) as contender:
            if self._has("memory"):
                time.sleep(SETTLE_SECONDS)
                self._memory(contender.name, contender.pids)
            self._lives(Lives(contender, self.results))
            if self._has("sessions"):
                measure_sessions(contender, self.results, SINGLE_ACCEPTS)

    def _lives(self, lives: Lives) -> None:
        for clients in self.clients if self._has("life") else ():
            lives.measure(clients, self.life_seconds)

    def _memory(self, contender: str, pids: dict[str, int]) -> None:
        roots = set(pids.values())
        found = {name: machine.memory_mebibytes(pid, roots) for name, pid in pids.items()}
        worker = max(resident for name, (_, resident) in found.items() if name.startswith("worker"))
        row = Row("resident memory at rest, largest process of the workers", "MiB", more_is_better=False)
        self.results.add(row, contender, worker)
        row = Row("memory at rest, all processes, shared pages once", "MiB", more_is_better=False)
        self.results.add(row, contender, sum(proportional for proportional, _ in found.values()))

    def _tutelage_alone(self, folder: Path) -> None:
        with running_tutelage(folder / "data", without=WITHOUT_WORKERS, environment=FEW_BOOKINGS_EACH) as product:
            product.add_offers()
            connection = Connection(product.url)
            # The hand-written handler writes the deliveries that it finds recorded.
            booking = product.accept(connection, product.request(connection))
            connection.close()
            with running_handwritten(product, folder / "handwritten.log") as by_hand:
                pair = [each for each in (product, by_hand) if each.name in self.contenders]
                if self._has("rates"):
                    self._rates([Rates(each, self.results, self.rate_seconds) for each in pair])
                    if pgbench.NAME in self.contenders:
                        self._pgbench(product)
                if self._has("reads"):
                    self._reads(product, by_hand, booking)

    def _rates(self, each: Sequence[Rates]) -> None:
        for rates in each:
            rates.warm_up()
        for clients in self.clients:
            for rates in each:
                rates.measure(clients)

    def _pgbench(self, product: Tutelage) -> None:
        for clients in self.clients:
            drafts = int(DRAFTS_A_SECOND * self.rate_seconds)
            done = pgbench.accepts(product, clients, self.rate_seconds, drafts)
            self.results.add(rate_row("accepts", clients), pgbench.NAME, done.per_second)
            for percent in (50, 99):
                keep_latency(self.results, pgbench.NAME, "accepts", percent, done.percentile_ms(percent), clients)

    def _reads(self, product: Tutelage, by_hand: Tutelage, booking: Booking) -> None:
        offer = booking.offer
        reads: dict[str, Callable[[Connection], object]] = {
            READ_BOOKING: partial(product.read, booking=booking),
            "GET a mentee's list of bookings": partial(product.list_bookings, offer=offer),
            "GET a mentor's list of sessions": partial(product.list_sessions, offer=offer),
            "the server's empty answer": product.read_nothing,
        }
        measure_reads(product, self.results, reads, self.rate_seconds / 2)
        if by_hand.name in self.contenders:
            of_hand = {READ_BOOKING: reads[READ_BOOKING], "the server's empty answer": by_hand.read_nothing}
            measure_reads(by_hand, self.results, of_hand, self.rate_seconds / 2)

    def _usual_alone(self, folder: Path) -> None:
        with running_usual(folder / "data", "", workers=False) as contender:
            self._rates([Rates(contender, self.results, self.rate_seconds)])

    def _dbos(self, folder: Path) -> None:
        with running_receiver() as receiver, running_dbos(folder / "data", receiver.url) as contender:
            if self._has("backlog"):
                keep_sessions(self.results, dbos.NAME, contender.run("direct", DBOS_DIRECT).per_second)
                keep_sessions(self.results, dbos.QUEUED, contender.run("queued", DBOS_QUEUED).per_second)
            if self._has("life"):
                done = contender.run("lives", DBOS_LIVES)
                # Threads of one process; there is no HTTP to have clients of.
                for clients in set(self.clients) & {4}:
                    self.results.add(lives_row(clients), dbos.NAME, done.per_second)
                    self.results.add(processor_row(clients), dbos.NAME, done.processor_seconds * 1000 / done.count)

    def _slots(self, folder: Path) -> None:
        with running_tutelage(folder / "data", without=WITHOUT_WORKERS) as contender:
            measure_slots(contender, self.results)

    def _streams(self, folder: Path) -> None:
        with running_tutelage(folder / "data", without=WITHOUT_WORKERS, environment=ENVIRONMENT) as contender:
            contender.add_offers()
            measure_streams(contender, self.results)

    def _webhooks(self, folder: Path) -> None:
        with running_tutelage(folder / "data") as contender:
            contender.add_offers()
            measure_webhooks(contender, self.results)

    def _growth(self, folder: Path) -> None:
        with running_receiver() as receiver, ExitStack() as stack:
            few, many = (
                stack.enter_context(running_tutelage(folder / str(bookings)))
                for bookings in (FEW_BOOKINGS, self.bookings)
            )
            for contender in (few, many):
                contender.add_offers()
                contender.add_endpoint(receiver.url)
            few, many = with_history(few, FEW_BOOKINGS), with_history(many, self.bookings)
            measure_growth(few, many, self.results, self.life_seconds)

    def _storage(self, folder: Path) -> None:
        with running_receiver() as receiver, running_tutelage(folder / "data") as contender:
            contender.add_offers()
            contender.add_endpoint(receiver.url)
            measure_storage(contender, self.results)

    def _start(self, folder: Path) -> None:
        for title in ("start to ready, new data folder", "start to ready, again"):
            with running_tutelage(folder / "data") as contender:
                self.results.add(Row(title, "s", more_is_better=False), contender.name, contender.ready_seconds)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that goes with the block; PostgreSQL runs as an ordinary user and must reach it."""
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
