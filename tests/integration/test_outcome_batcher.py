"""Tests of the outcome batcher: outcomes of many senders in few statements, and none waits for another's trouble."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import monotonic

import psycopg
import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, OperationalError

from models.events import deliveries
from tests.eventually import eventually
from tests.integration.endpoints import YES, attempts_kept, listening, messages
from tests.integration.harness import CallersThread, Harness
from workers.outbound import LeasedMessage, OutboundRunner, OutcomeBatcher, Route
from workflows.effects.webhooks import SEND_WEBHOOK
from workflows.events import claim, settle
from workflows.events.delivery import Attempt, Delivery, DeliveryKey

MINUTE = timedelta(minutes=1)


class SlowWriter:
    """Writes successes, the first only once `go` is set; keeps how many were written at a time.

    Args:
        errors: what the first writes raise.
    """

    def __init__(self, *errors: Exception) -> None:
        self.sizes: list[int] = []
        self.go = Event()
        self._errors = list(errors)

    def __call__(self, db: Connection, successes: Sequence[tuple[Delivery, Attempt]]) -> set[DeliveryKey]:
        self.sizes.append(len(successes))
        assert self.go.wait(20)
        if self._errors:
            raise self._errors.pop(0)
        return settle.done_outbound(db, successes)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(30) as threads:
        yield threads


class Sending:
    """Messages that were leased and sent, and an outcome batcher for them."""

    def __init__(
        self,
        harness: Harness,
        threads: ThreadPoolExecutor,
        count: int,
        *errors: Exception,
        max_together: int = 100,
        pauses: Sequence[float] = (0.0, 0.0),
    ) -> None:
        self.threads = threads
        self.writer = SlowWriter(*errors)
        self.batcher = OutcomeBatcher(
            harness.transactions,
            OutboundRunner(harness.transactions, {})._settle,
            write_successes=self.writer,
            max_together=max_together,
            database_retry_seconds=pauses,
        )
        keys = messages(harness, listening(harness), count)
        route = Route(harness.http, CallersThread())
        with harness.engine.begin() as db:
            leased = claim.claim_leased(db, "webhooks.send", keys, MINUTE)
            sent = SEND_WEBHOOK.prepare(db, leased)
        self.sent = [
            LeasedMessage(SEND_WEBHOOK, delivery, message, monotonic(), route)
            for delivery, message in zip(leased, sent, strict=True)
        ]

    def write(self) -> None:
        """Have the first written alone, and the others together behind it."""
        self.threads.submit(self.batcher.write, self.sent[0], YES)
        eventually(lambda: self.writer.sizes, "the first being written")
        for each in self.sent[1:]:
            # None waits for it.
            self.threads.submit(self.batcher.write, each, YES).result(20)
        self.writer.go.set()

    def results(self) -> list[bool]:
        return [each.settled.result(20) for each in self.sent]

    @property
    def keys(self) -> list[DeliveryKey]:
        return [each.delivery.key for each in self.sent]


def test_successes_added_during_a_write_are_written_together(harness: Harness, threads: ThreadPoolExecutor) -> None:
    sending = Sending(harness, threads, 21)
    sending.write()
    assert sending.results() == [False] * 21
    assert sending.writer.sizes == [1, 20]
    for key in sending.keys:
        row = harness.row(key)
        assert (row.state, row.attempts, row.lease_until, row.last_error) == ("done", 1, None, None)
        assert row.done_at is not None
        assert attempts_kept(harness, key) == ["done"]


def test_a_statement_writes_no_more_than_its_limit(harness: Harness, threads: ThreadPoolExecutor) -> None:
    sending = Sending(harness, threads, 11, max_together=4)
    sending.write()
    sending.results()
    assert sending.writer.sizes == [1, 4, 4, 2]


def test_a_locked_row_is_left_out_and_written_by_itself(harness: Harness, threads: ThreadPoolExecutor) -> None:
    sending = Sending(harness, threads, 5)
    waits = sending.sent[2]
    waits.route = Route(harness.http, Threads(threads))
    with harness.engine.begin() as db:
        held = deliveries.c.event_id == waits.delivery.key.event_id
        db.execute(select(deliveries).where(held).with_for_update())
        sending.write()
        assert {each.settled.result(20) for each in sending.sent if each is not waits} == {False}
        assert harness.row(waits.delivery.key).state == "pending"
    assert waits.settled.result(20) is False
    assert harness.row(waits.delivery.key).state == "done"


class Threads(CallersThread):
    """Senders without a limit."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        super().__init__()
        self._threads = threads

    def submit(self, run: Callable[..., None], /, *args: object) -> None:
        self._threads.submit(run, *args)


def test_one_that_lost_its_lease_changes_nothing(harness: Harness, threads: ThreadPoolExecutor) -> None:
    sending = Sending(harness, threads, 4)
    _first, lost, cancelled, _last = sending.keys
    harness.change(lost, attempts=2)
    harness.change(cancelled, state="cancelled")
    sending.write()
    sending.results()
    assert [harness.row(key).state for key in sending.keys] == ["done", "pending", "cancelled", "done"]
    assert harness.row(lost).attempts == 2
    assert attempts_kept(harness, lost) == attempts_kept(harness, cancelled) == []


def test_outcomes_wait_while_the_database_is_unavailable(harness: Harness, threads: ThreadPoolExecutor) -> None:
    unavailable = OperationalError("INSERT", {}, Exception("the server closed the connection"))
    sending = Sending(harness, threads, 4, unavailable, unavailable)
    sending.write()
    assert sending.results() == [False] * 4
    assert {harness.row(key).state for key in sending.keys} == {"done"}


def test_every_wakeup_gets_the_error_and_later_ones_are_written(harness: Harness, threads: ThreadPoolExecutor) -> None:
    defect = DataError("INSERT", {}, Exception("a defect"))
    sending = Sending(harness, threads, 4, defect, defect)
    sending.writer.go.set()
    for each in sending.sent:
        sending.batcher.write(each, YES)
    assert [type(each.settled.exception(20)) for each in sending.sent] == [DataError, DataError, type(None), type(None)]


@pytest.mark.parametrize(("age", "tries"), [(0.0, 3), (44.9, 1)])
def test_nothing_is_retried_beyond_its_lease(
    harness: Harness, threads: ThreadPoolExecutor, age: float, tries: int
) -> None:
    unavailable = OperationalError("INSERT", {}, Exception("the server closed the connection"))
    sending = Sending(harness, threads, 1, *[unavailable] * 3, pauses=(0.2, 0.2))
    sending.sent[0].since -= age
    sending.writer.go.set()
    sending.batcher.write(sending.sent[0], YES)
    assert isinstance(sending.sent[0].settled.exception(20), OperationalError)
    assert len(sending.writer.sizes) == tries


def test_a_statement_that_took_too_long_is_not_repeated(harness: Harness, threads: ThreadPoolExecutor) -> None:
    cancelled = OperationalError("INSERT", {}, psycopg.errors.QueryCanceled("statement timeout"))
    sending = Sending(harness, threads, 1, cancelled, cancelled)
    sending.writer.go.set()
    sending.batcher.write(sending.sent[0], YES)
    assert isinstance(sending.sent[0].settled.exception(20), OperationalError)
    assert len(sending.writer.sizes) == 1


def test_whatever_follows_a_write_stops_no_later_one(
    harness: Harness, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    sending = Sending(harness, threads, 4)
    sending.writer.go.set()
    monkeypatch.setattr("workers.outbound.success_log", full)
    sending.batcher.write(sending.sent[0], YES)
    monkeypatch.undo()
    for each in sending.sent[1:]:
        sending.batcher.write(each, YES)
    assert sending.results() == [False] * 4
    assert {harness.row(key).state for key in sending.keys} == {"done"}
