"""Whether what runs all the time grows with history: the same measured by turns on a small and on a large database.

Both systems run all the while: the machine's pace changes within minutes by more than what is looked for here.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from bench.history import copy_life
from bench.machine import spending
from bench.measures import Lives, live, plural, wait_until_finished
from bench.results import Results, Row
from tests.booking_system import Tutelage
from tests.load import Connection, UnexpectedAnswerError
from tests.processes import stopped

CLIENTS = 4
LIFE_TURNS = 5
REPORT_TURNS = 20
LIVES_AFTER_CHECKPOINT = 60
IDLE_SECONDS = 35  # more than a round of maintain
REPORTS = {"operations summary": "/operations/summary", "invariants": "/operations/invariants"}


def with_history(product: Tutelage, bookings: int) -> Tutelage:
    """Play a life and copy it, while nothing of the product works on the database.

    Returns:
        the same product, named for the number of its bookings.
    """
    connection = Connection(product.url)
    booking = live(product, connection)
    connection.close()
    wait_until_finished(product, 1)
    names = ("worker-", "sweep", "maintain")
    with stopped(*(pid for name, pid in product.pids.items() if name.startswith(names))):
        copy_life(product, booking, bookings)
    return replace(product, name=f"{bookings:,} bookings")


def measure_growth(few: Tutelage, many: Tutelage, results: Results, seconds: float) -> None:
    """The time of a life beside so much history, of idling with the loops' rounds in it, and of the reports.

    Args:
        few: whose database is small, named for it, as the other.
        seconds: how long lives are begun for in each turn.
    """
    pair = (few, many)
    life = _row(pair, f"time of a life, {plural(CLIENTS)}", "ms")
    # Without an aim: lives on more rows change more pages.
    log = Row("log of a life, the first ones after a checkpoint", "KiB", more_is_better=False, subject=many.name)
    lives = [Lives(each, results, done=1) for each in pair]
    for _turn in range(LIFE_TURNS):
        for each in lives:
            each.measure_time(life, CLIENTS, seconds)
    for each in lives:
        each.measure_log(log, CLIENTS, LIVES_AFTER_CHECKPOINT)
    _measure_rest(pair, results)
    for what, path in REPORTS.items():
        row = _row(pair, f"{what}, one answer", "ms")
        for _turn in range(REPORT_TURNS):
            for product in pair:
                results.add(row, product.name, _milliseconds_of(product, path, results))


def _row(pair: Sequence[Tutelage], name: str, unit: str) -> Row:
    """Something of which the larger database may take a quarter more."""
    few, many = pair
    return Row(name, unit, more_is_better=False, aims=((few.name, 1.25),), subject=many.name)


def _measure_rest(pair: Sequence[Tutelage], results: Results) -> None:
    row = _row(pair, "processor time at rest, sweep and maintain included", "ms a second")
    with ExitStack() as stack:
        spent = [stack.enter_context(spending(product.pids)) for product in pair]
        time.sleep(IDLE_SECONDS)
    for product, each in zip(pair, spent, strict=True):
        results.add(row, product.name, each.total * 1000 / IDLE_SECONDS)


def _milliseconds_of(product: Tutelage, path: str, results: Results) -> float:
    connection, headers = Connection(product.url), product.operator.identity
    began = time.perf_counter()
    try:
        connection.request("GET", path, headers, expect=200)
    except UnexpectedAnswerError as error:
        results.note(f"With {product.name}: {error}")
    taken = time.perf_counter() - began
    connection.close()
    return taken * 1000
