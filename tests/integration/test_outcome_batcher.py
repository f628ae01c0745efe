"""Tests of the outcome batcher: outcomes of many senders in few statements, and none waits for another's trouble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import monotonic

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, OperationalError

from models.events import deliveries
from tests.eventually import eventually
from tests.integration.endpoints import YES, attempts_kept, listening, messages
from tests.integration.house import House
from workers import outbound
from workers.outbound import LeasedMessage, OutboundRunner, Route
from workflows.events import store
from workflows.events.delivery import DeliveryKey
from workflows.events.store import Success
from workflows.outside.send_webhook import SEND_WEBHOOK

MINUTE = timedelta(minutes=1)


class SlowPen:
    """Writes as the house does, but the first time only when it is let; keeps how many were written at a time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = Event()
        self._write = store.done_outbound

    def done(self, db: Connection, successes: Sequence[Success]) -> set[DeliveryKey]:
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
    monkeypatch.setattr(store, "done_outbound", pen.done)
    yield pen
    pen.go.set()


class Sending:
    """Messages that were leased and sent, and what writes that."""

    def __init__(self, house: House, threads: ThreadPoolExecutor, count: int) -> None:
        self.threads = threads
        self.batcher = OutboundRunner(house.transactions, {})._batcher
        keys = messages(house, listening(house), count)
        route = Route(house.http)
        with house.engine.begin() as db:
            leased = store.claim_leased(db, "webhooks.send", keys, MINUTE)
            sent = SEND_WEBHOOK.prepare(db, leased)
        self.sent = [
            LeasedMessage(SEND_WEBHOOK, delivery, message, monotonic(), route)
            for delivery, message in zip(leased, sent, strict=True)
        ]

    def write(self, pen: SlowPen) -> None:
        """Have the first written by itself, and the others together behind it."""
        self.threads.submit(self.batcher.write, self.sent[0], YES)
        eventually(lambda: pen.sizes, "the first at the pen")
        for each in self.sent[1:]:
            # None waits for the pen.
            self.threads.submit(self.batcher.write, each, YES).result(20)
        pen.go.set()
        for each in self.sent:
            each.settled.exception(20)

    @property
    def keys(self) -> list[DeliveryKey]:
        """What was sent."""
        return [each.delivery.key for each in self.sent]


def test_what_comes_while_another_is_written_is_written_together(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen
) -> None:
    sending = Sending(house, threads, 21)
    sending.write(pen)
    assert pen.sizes == [1, 20]
    for key in sending.keys:
        row = house.row(key)
        assert (row.state, row.attempts, row.lease_until, row.last_error) == ("done", 1, None, None)
        assert row.done_at is not None
        assert attempts_kept(house, key) == ["done"]


def test_no_more_are_written_at_a_time_than_a_statement_should_hold(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "MAX_SETTLED_TOGETHER", 4)
    Sending(house, threads, 11).write(pen)
    assert pen.sizes == [1, 4, 4, 2]


def test_a_row_that_somebody_holds_is_left_out_and_written_by_itself(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen
) -> None:
    sending = Sending(house, threads, 5)
    held = sending.keys[2]
    waits = sending.sent[2]
    waits.route = Route(house.http, Threads(threads))
    with house.engine.begin() as onlooker:
        onlooker.execute(select(deliveries).where(deliveries.c.event_id == held.event_id).with_for_update())
        sending.threads.submit(sending.batcher.write, sending.sent[0], YES)
        eventually(lambda: pen.sizes, "the first at the pen")
        for each in sending.sent[1:]:
            sending.batcher.write(each, YES)
        pen.go.set()
        others = [each for each in sending.sent if each is not waits]
        assert {each.settled.result(20) for each in others} == {False}
        assert house.row(held).state == "pending"
    assert waits.settled.result(20) is False
    assert house.row(held).state == "done"


class Threads:
    """Senders without a limit."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.submit = threads.submit

    def acquire(self, named: int) -> int:
        """As many as are wanted."""
        return named

    def release(self, count: int) -> None:
        """Nothing was kept."""


def test_one_that_lost_its_lease_changes_nothing(house: House, threads: ThreadPoolExecutor, pen: SlowPen) -> None:
    sending = Sending(house, threads, 4)
    _first, lost, cancelled, _last = sending.keys
    house.change(lost, attempts=2)
    house.change(cancelled, state="cancelled")
    sending.write(pen)
    assert [house.row(key).state for key in sending.keys] == ["done", "pending", "cancelled", "done"]
    assert house.row(lost).attempts == 2
    assert attempts_kept(house, lost) == attempts_kept(house, cancelled) == []


def test_while_the_database_is_away_outcomes_wait_and_are_written_when_it_is_back(
    house: House, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, write, asked = Sending(house, threads, 4), store.done_outbound, list[int]()

    def away(db: Connection, successes: Sequence[Success]) -> set[DeliveryKey]:
        asked.append(len(successes))
        if len(asked) < 3:
            raise OperationalError("INSERT", {}, Exception("the server closed the connection"))
        return write(db, successes)

    monkeypatch.setattr(store, "done_outbound", away)
    monkeypatch.setattr(outbound, "sleep", lambda _seconds: None)
    for each in sending.sent:
        threads.submit(sending.batcher.write, each, YES)
    assert [each.settled.result(20) for each in sending.sent] == [False] * 4
    assert {house.row(key).state for key in sending.keys} == {"done"}


def test_every_wake_up_learns_of_a_defect_and_the_next_are_written(
    house: House, threads: ThreadPoolExecutor, pen: SlowPen, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending = Sending(house, threads, 4)
    pen.go.set()

    def broken(*_args: object) -> set[DeliveryKey]:
        raise DataError("INSERT", {}, Exception("a defect"))

    with monkeypatch.context() as defect:
        defect.setattr(store, "done_outbound", broken)
        for each in sending.sent[:2]:
            sending.batcher.write(each, YES)
            assert isinstance(each.settled.exception(20), DataError)
    for each in sending.sent[2:]:
        sending.batcher.write(each, YES)
        assert each.settled.result(20) is False
