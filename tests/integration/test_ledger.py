"""Tests of the ledger: outcomes of many senders in few statements, where none waits for another's trouble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from models.events import deliveries
from tests.eventually import eventually
from tests.integration.endpoints import attempts_kept, listening, messages
from tests.integration.house import House
from workers import ledger as ledgers
from workers.ledger import Ledger
from workflows.events import store
from workflows.events.delivery import Attempt, Key
from workflows.events.store import Success

MINUTE = timedelta(minutes=1)


class SlowPen:
    """Writes as the house does, but the first time only when it is let; keeps how many were written at a time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = Event()
        self._write = store.done_outbound

    def done(self, db: Connection, successes: Sequence[Success]) -> set[Key]:
        """Write them, and wait before the first."""
        self.sizes.append(len(successes))
        assert self.go.wait(20)
        return self._write(db, successes)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads of senders."""
    with ThreadPoolExecutor(30) as threads:
        yield threads


@pytest.fixture
def pen(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowPen]:
    """Takes the house's pen."""
    pen = SlowPen()
    monkeypatch.setattr(ledgers.store, "done_outbound", pen.done)
    yield pen
    pen.go.set()


def successes(house: House, count: int) -> list[Success]:
    """So many messages that were leased and taken."""
    keys = messages(house, listening(house), count)
    with house.engine.begin() as db:
        leased = store.claim_leased(db, "webhooks.send", keys, MINUTE)
    took = timedelta(milliseconds=7)
    return [
        Success(delivery=each, attempt=Attempt(outcome="done", took=took, status_code=204, response="thanks"))
        for each in leased
    ]


def test_what_comes_while_another_is_written_is_written_together(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen
) -> None:
    ledger, done = Ledger(house.transactions), successes(house, 21)
    first = threads.submit(ledger.done, done[0])
    eventually(lambda: pen.sizes, "the first at the pen")
    others = [threads.submit(ledger.done, each) for each in done[1:]]
    eventually(lambda: len(ledger._waiting) == 20, "the others behind it")
    pen.go.set()
    assert all(each.result(20) for each in [first, *others])
    assert pen.sizes == [1, 20]
    for each in done:
        row = house.row(each.delivery.key)
        assert (row.state, row.attempts, row.lease_until, row.last_error) == ("done", 1, None, None)
        assert row.done_at is not None
        assert attempts_kept(house, each.delivery.key) == ["done"]


def test_no_more_are_written_at_a_time_than_a_statement_should_hold(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "MOST", 4)
    ledger, done = Ledger(house.transactions), successes(house, 11)
    written = [threads.submit(ledger.done, done[0])]
    eventually(lambda: pen.sizes, "the first at the pen")
    written += [threads.submit(ledger.done, each) for each in done[1:]]
    eventually(lambda: len(ledger._waiting) == 10, "the others behind it")
    pen.go.set()
    assert all(each.result(20) for each in written)
    assert pen.sizes == [1, 4, 4, 2]


def together(threads: ThreadPoolExecutor, pen: SlowPen, ledger: Ledger, done: list[Success]) -> list[Future[bool]]:
    """Have all but the first written in one statement."""
    first = threads.submit(ledger.done, done[0])
    eventually(lambda: pen.sizes, "the first at the pen")
    others = [threads.submit(ledger.done, each) for each in done[1:]]
    eventually(lambda: len(ledger._waiting) == len(others), "the others behind it")
    pen.go.set()
    return [first, *others]


def test_a_row_that_somebody_holds_is_left_out_and_nobody_waits_for_it(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen
) -> None:
    done = successes(house, 5)
    held = done[2].delivery.key
    with house.engine.begin() as onlooker:
        onlooker.execute(select(deliveries).where(deliveries.c.event_id == held.event_id).with_for_update())
        written = together(threads, pen, Ledger(house.transactions), done)
        assert [each.result(20) for each in written] == [True, True, False, True, True]
    assert house.row(held).state == "pending"
    assert attempts_kept(house, held) == []


def test_who_lost_the_lease_changes_nothing(house: House, threads: ThreadPoolExecutor, pen: SlowPen) -> None:
    done = successes(house, 4)
    lost, cancelled = done[1].delivery.key, done[2].delivery.key
    house.change(lost, attempts=2)
    house.change(cancelled, state="cancelled")
    written = together(threads, pen, Ledger(house.transactions), done)
    assert [each.result(20) for each in written] == [True, False, False, True]
    assert (house.row(lost).state, house.row(lost).attempts) == ("pending", 2)
    assert house.row(cancelled).state == "cancelled"
    assert attempts_kept(house, lost) == attempts_kept(house, cancelled) == []


def test_everybody_learns_that_the_database_was_away_and_the_next_are_written(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, done = Ledger(house.transactions), successes(house, 4)

    def away(*_args: object) -> set[Key]:
        assert pen.go.wait(20)
        raise OperationalError("INSERT", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as broken:
        broken.setattr(ledgers.store, "done_outbound", away)
        failed = [threads.submit(ledger.done, each) for each in done]
        pen.go.set()
        for each in failed:
            with pytest.raises(OperationalError):
                each.result(20)
    assert [ledger.done(each) for each in done] == [True] * 4
