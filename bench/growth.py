"""Whether what runs all the time grows with history: the same measured on a small and on a large database."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from bench.backlog import stopped
from bench.contenders.tutelage import Tutelage
from bench.history import copy_life
from bench.load import Connection
from bench.machine import spending
from bench.measures import Lives, live, plural, wait_until_finished
from bench.results import Results, Row

CLIENTS = 4
IDLE_SECONDS = 35  # more than a round of maintain
REPORTS = {"operations summary": "/operations/summary", "invariants": "/operations/invariants"}


def prepare(product: Tutelage, bookings: int) -> None:
    """Play a life and copy it, while nothing of the product works on the database."""
    connection = Connection(product.url)
    booking = live(product, connection)
    connection.close()
    wait_until_finished(product, 1)
    names = ("worker-", "sweep", "maintain")
    with stopped([pid for name, pid in product.pids.items() if name.startswith(names)]):
        copy_life(product, booking, bookings)


@dataclass(frozen=True)
class Sizes:
    """How many bookings the two databases hold that are put beside each other."""

    few: int
    many: int

    def row(self, name: str, unit: str) -> Row:
        """Something of which the larger database may take a quarter more."""
        aims = ((name_of(self.few), 1.25),)
        return Row(name, unit, more_is_better=False, aims=aims, subject=name_of(self.many))


def name_of(bookings: int) -> str:
    """As which a database stands in the report."""
    return f"{bookings:,} bookings"


def measure_growth(product: Tutelage, results: Results, sizes: Sizes, bookings: int, seconds: float) -> None:
    """What a life takes beside so much history, what idling costs with the loops' rounds in it, and the reports.

    Args:
        product: whose database holds so many bookings.
        seconds: how long lives are begun for.
    """
    name = name_of(bookings)
    row = sizes.row(f"time of a life, {plural(CLIENTS)}", "ms")
    Lives(replace(product, name=name), results, done=1).measure_time(row, CLIENTS, seconds)
    with spending(product.pids) as spent:
        time.sleep(IDLE_SECONDS)
    row = sizes.row("processor time at rest, sweep and maintain included", "ms a second")
    results.add(row, name, spent.total * 1000 / IDLE_SECONDS)
    connection = Connection(product.url)
    for what, path in REPORTS.items():
        began = time.perf_counter()
        try:
            product.ask_operator(connection, "GET", path)
        except RuntimeError as error:
            results.notes.append(f"With {name}: {error}")
        row = sizes.row(f"{what}, one answer", "ms")
        results.add(row, name, (time.perf_counter() - began) * 1000)
    connection.close()
