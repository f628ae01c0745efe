"""Tests of messages that name several deliveries: leased and settled together, and each one's fate its own."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError, PendingRollbackError
from structlog.testing import capture_logs

from tests.eventually import eventually
from tests.integration.endpoints import NO, YES, attempts_kept, listening, messages
from tests.integration.harness import CallersThread, Harness
from tests.integration.test_backlog import lose_connection
from tests.statements import statements_of
from workers import outbound
from workers.outbound import OutboundRunner, Route, SenderPool
from workers.runner import DeliveryRunner
from workflows.effects.webhooks import SEND_WEBHOOK, WebhookMessage, prepare_webhooks
from workflows.events import claim
from workflows.events.delivery import Delivery, DeliveryKey, Postpone, SendResult
from workflows.events.subscriptions import Subscriptions, load

SECONDS = 20
OTHER = "https://another.example/in"


def pool(count: int) -> SenderPool:
    return SenderPool(count, acquire_seconds=SECONDS)


def worker(harness: Harness, senders: SenderPool | None = None, **changed: Any) -> DeliveryRunner:
    """A worker with senders of its own, and perhaps another way to send webhooks."""
    known = Subscriptions()
    for effect in load().all():
        known.add(replace(SEND_WEBHOOK, **changed) if effect is SEND_WEBHOOK else effect)
    return DeliveryRunner(harness.transactions, known, {"http": Route(harness.http, senders or CallersThread())})


def states(harness: Harness, keys: Sequence[DeliveryKey]) -> list[str]:
    return [harness.row(key).state for key in keys]


def test_ten_deliveries_are_leased_and_prepared_by_two_statements(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 5) + messages(harness, listening(harness, OTHER), 5)
    deliverer = worker(harness)
    with statements_of(harness.engine) as made:
        deliverer.deliver(*keys)
    assert states(harness, keys) == ["done"] * 10
    # One after the other, in this thread, each outcome is written alone.
    assert len(made.statements) == 1 + 1 + 10, made.statements
    assert [message.webhook_id for message in harness.http.received] == [key.event_id for key in keys]


def test_one_alone_makes_three_statements(harness: Harness) -> None:
    (key,) = messages(harness, listening(harness))
    with statements_of(harness.engine) as made:
        harness.deliverer.deliver(key)
    assert len(made.statements) == 3, made.statements


def test_one_that_hangs_keeps_none_of_its_message_waiting(harness: Harness) -> None:
    stuck, others = listening(harness), listening(harness, OTHER)
    keys = messages(harness, stuck) + messages(harness, others, 9)
    back = Event()

    def answer(message: WebhookMessage) -> SendResult:
        assert message.endpoint_id != stuck or back.wait(SECONDS)
        return YES

    harness.http.answers = answer
    working = Thread(target=worker(harness, pool(3)).deliver, args=keys)
    working.start()
    eventually(lambda: states(harness, keys[1:]) == ["done"] * 9, "all but the one that hangs")
    assert states(harness, keys[:1]) == ["pending"]
    assert working.is_alive(), "the message is at its end when all of it is"
    back.set()
    working.join(SECONDS)
    assert states(harness, keys) == ["done"] * 10


def test_nothing_is_leased_before_a_slot_is_free(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 9)
    back = Event()

    def answer(_message: object) -> SendResult:
        assert back.wait(SECONDS)
        return YES

    harness.http.answers = answer
    working = Thread(target=worker(harness, pool(4)).deliver, args=keys)
    working.start()
    eventually(lambda: len(harness.http.received) == 4, "four messages on their way")
    rows = [harness.row(key) for key in keys]
    assert [(row.attempts, row.lease_until is None) for row in rows] == [(1, False)] * 4 + [(0, True)] * 5
    back.set()
    working.join(SECONDS)
    assert states(harness, keys) == ["done"] * 9


def test_each_delivery_has_its_own_outcome(harness: Harness) -> None:
    endpoints = {
        answer: listening(harness, f"https://partner.example/{answer}") for answer in ("yes", "no", "raises", "paused")
    }
    keys = {answer: messages(harness, endpoint)[0] for answer, endpoint in endpoints.items()}

    def answer(message: WebhookMessage) -> SendResult:
        if message.endpoint_id == endpoints["raises"]:
            raise KeyError("a defect")
        return NO if message.endpoint_id == endpoints["no"] else YES

    harness.http.answers = answer
    with harness.engine.begin() as db:
        db.exec_driver_sql("UPDATE webhook_endpoints SET state = 'paused' WHERE id = %s", (endpoints["paused"],))
    worker(harness, pool(4)).deliver(*keys.values())
    assert {name: attempts_kept(harness, key) for name, key in keys.items()} == {
        "yes": ["done"],
        "no": ["retry"],
        "raises": ["retry"],
        "paused": ["cancelled"],
    }


def test_the_same_one_named_twice_is_sent_once(harness: Harness) -> None:
    (key,) = messages(harness, listening(harness))
    worker(harness, pool(4)).deliver(key, key, key)
    assert len(harness.http.received) == 1
    assert attempts_kept(harness, key) == ["done"]


def test_an_error_in_preparation_affects_its_own_delivery_only(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 3)

    def spoilt(db: Connection, deliveries: Sequence[Delivery]) -> list[WebhookMessage | Exception]:
        if any(delivery.key == keys[1] for delivery in deliveries):
            raise ValueError("no such target")
        return prepare_webhooks(db, deliveries)

    worker(harness, pool(2), prepare=spoilt).deliver(*keys)
    assert states(harness, keys) == ["done", "pending", "done"]
    assert harness.row(keys[1]).last_error == "ValueError: no such target"


def test_a_connection_lost_in_preparation_is_no_delivery_s_error(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 3)

    def lost(db: Connection, _deliveries: Sequence[Delivery]) -> list[WebhookMessage | Exception]:
        lose_connection(db)
        raise AssertionError("the statement after the lost one is refused")

    with capture_logs() as lines, pytest.raises(PendingRollbackError):
        worker(harness, pool(2), prepare=lost).deliver(*keys)
    assert lines == []
    assert [(harness.row(key).state, harness.row(key).last_error) for key in keys] == [("pending", None)] * 3


def test_ready_messages_are_sent_although_the_database_fails_afterwards(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = messages(harness, listening(harness), 3)

    def unavailable(*_args: object) -> Any:
        raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))

    def one_defect(db: Connection, deliveries: Sequence[Delivery]) -> list[WebhookMessage | Exception]:
        prepared = prepare_webhooks(db, deliveries)
        return [prepared[0], KeyError("a defect"), prepared[2]]

    monkeypatch.setattr(outbound, "settle_error", unavailable)
    senders = pool(3)
    with pytest.raises(OperationalError):
        worker(harness, senders, prepare=one_defect).deliver(*keys)
    assert states(harness, keys) == ["done", "pending", "pending"]
    assert senders.acquire(10) == 3, "all senders are free again"


def test_a_send_begun_too_late_is_postponed_uncounted(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 2)
    late = OutboundRunner(harness.transactions, {"http": Route(harness.http, pool(2))}, latest_start=-1.0)
    late.deliver(SEND_WEBHOOK, keys)
    assert harness.http.received == []
    for row in map(harness.row, keys):
        assert (row.state, row.attempts, row.lease_until) == ("pending", 0, None)
        assert row.due_at <= row.now


def test_workers_woken_up_for_the_same_deliveries_share_them(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 60)
    workers = [worker(harness, pool(4)) for _ in range(3)]
    orders = (keys, keys[::-1], keys[30:] + keys[:30])
    threads = [Thread(target=each.deliver, args=order) for each, order in zip(workers, orders)]  # noqa: B905
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert Counter(states(harness, keys)) == {"done": 60}
    assert len({message.webhook_id for message in harness.http.received}) == len(harness.http.received) == 60
    assert {row.attempts for row in map(harness.row, keys)} == {1}


def test_named_deliveries_are_leased_in_their_order(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 8)[::-1]
    with harness.engine.begin() as db:
        leased = claim.claim_leased(db, "webhooks.send", keys, timedelta(minutes=1))
    assert [delivery.key for delivery in leased] == keys
    assert {(delivery.attempt, delivery.fence) for delivery in leased} == {(1, 1)}


def test_only_free_and_due_deliveries_are_leased(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 6)
    free, done, leased, later, locked, gone = keys
    row = harness.row(free)
    harness.change(done, state="done", done_at=row.now)
    harness.change(leased, lease_until=row.now + timedelta(seconds=30))
    harness.change(later, due_at=row.now + timedelta(seconds=30))
    harness.change(gone, state="cancelled")
    with harness.engine.begin() as onlooker, harness.engine.begin() as db:
        onlooker.exec_driver_sql("SELECT FROM deliveries WHERE event_id = %s FOR UPDATE", (locked.event_id,))
        taken = claim.claim_leased(db, "webhooks.send", keys, timedelta(minutes=1))
    assert [delivery.key for delivery in taken] == [free]


def test_other_due_deliveries_are_sent_while_slots_are_free(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 9)
    worker(harness, pool(4)).deliver(*keys[-1:])
    assert states(harness, keys) == ["done"] * 9
    assert len(harness.http.received) == 9


def test_others_are_leased_oldest_first(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 6)
    named, old, older, leased, later, done = keys
    row = harness.row(named)
    harness.change(old, due_at=row.now - timedelta(seconds=5))
    harness.change(older, due_at=row.now - timedelta(seconds=9))
    harness.change(leased, lease_until=row.now + timedelta(seconds=30))
    harness.change(later, due_at=row.now + timedelta(seconds=30))
    harness.change(done, state="done", done_at=row.now)
    minute = timedelta(minutes=1)
    with harness.engine.begin() as db:
        first = claim.claim_leased(db, "webhooks.send", [named], minute, limit=2)
        rest = claim.claim_leased(db, "webhooks.send", [named], minute, limit=9)
    assert [delivery.key for delivery in first] == [named, older]
    assert [delivery.key for delivery in rest] == [old]


def test_no_others_are_leased_while_some_are_postponed(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 9)

    def crowded(_message: object) -> SendResult:
        raise Postpone(datetime.now(UTC) + timedelta(minutes=1), "no room")

    harness.http.answers = crowded
    worker(harness, pool(2)).deliver(*keys[:1])
    put_off = [row for row in map(harness.row, keys) if row.due_at > row.now]
    assert 2 <= len(put_off) < 9
    assert {(row.state, row.attempts) for row in put_off} == {("pending", 0)}


def test_the_rest_is_left_to_the_sweep_without_slots(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 3)
    back = Event()

    def answer(_message: object) -> SendResult:
        assert back.wait(SECONDS)
        return YES

    harness.http.answers = answer
    busy = worker(harness, SenderPool(1, acquire_seconds=0.01))
    working = Thread(target=busy.deliver, args=keys[:1])
    working.start()
    eventually(lambda: harness.http.received, "one message under way")
    busy.deliver(*keys[1:])
    assert [harness.row(key).attempts for key in keys] == [1, 0, 0]
    back.set()
    working.join(SECONDS)


def test_a_stop_leaves_cut_off_messages_to_their_lease(harness: Harness) -> None:
    cut, arrives = messages(harness, listening(harness), 2)
    senders, stopped = pool(2), Event()

    def answer(message: WebhookMessage) -> SendResult:
        assert stopped.wait(SECONDS)
        return YES if message.webhook_id == arrives.event_id else SendResult(error="The connection ended.")

    harness.http.answers = answer
    stopping = worker(harness, senders)
    working = Thread(target=stopping.deliver, args=[cut, arrives])
    working.start()
    eventually(lambda: len(harness.http.received) == 2, "two messages under way")
    stopping.stop()
    stopped.set()
    working.join(SECONDS)
    assert states(harness, [cut, arrives]) == ["pending", "done"]
    row = harness.row(cut)
    assert (row.attempts, row.last_error, row.lease_until > row.now) == (1, None, True)


def test_wakeups_beyond_the_slots_hold_no_thread(harness: Harness) -> None:
    keys, answered = messages(harness, listening(harness), 9), Event()

    def hang(_message: object) -> SendResult:
        assert answered.wait(SECONDS)
        return YES

    harness.http.answers = hang
    deliverer = worker(harness, pool(2))
    with ThreadPoolExecutor(4) as threads:
        under_way = [threads.submit(deliverer.deliver, key) for key in keys]
        # The thread that an effect in the database takes, of which wake-ups of slow receivers leave some.
        assert threads.submit(lambda: True).result(SECONDS / 2)
        answered.set()
        for each in under_way:
            each.result(SECONDS)
