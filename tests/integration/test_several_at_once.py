"""Tests of messages that name several deliveries: leased and settled together, and each one's fate its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from tests.eventually import eventually
from tests.integration.endpoints import NO, YES, attempts_kept, listening, messages
from tests.integration.house import House
from tests.statements import statements_of
from workers import outbound
from workers.outbound import OutboundRunner, Route, SenderPool, Senders, SynchronousExecutor
from workers.runner import DeliveryRunner
from workflows.effects.webhooks import SEND_WEBHOOK, WebhookMessage, prepare_webhooks
from workflows.events import store
from workflows.events.delivery import Delivery, DeliveryKey, Postpone, SendResult
from workflows.events.subscriptions import Subscriptions, load

SECONDS = 20
OTHER = "https://another.example/in"


def pool(count: int) -> SenderPool:
    """So many senders, who are waited for."""
    return SenderPool(count, acquire_seconds=SECONDS)


def worker(house: House, senders: Senders | None = None, **changed: Callable[..., Any]) -> DeliveryRunner:
    """A worker with senders of its own, and perhaps another way to send webhooks."""
    known = Subscriptions()
    for effect in load().all():
        known.add(replace(SEND_WEBHOOK, **changed) if effect is SEND_WEBHOOK else effect)  # type: ignore[arg-type]
    return DeliveryRunner(house.transactions, known, {"http": Route(house.http, senders or SynchronousExecutor())})


def states(house: House, keys: Sequence[DeliveryKey]) -> list[str]:
    """Their states, in order."""
    return [house.row(key).state for key in keys]


def test_ten_deliveries_are_leased_and_prepared_by_two_statements(house: House) -> None:
    keys = messages(house, listening(house), 5) + messages(house, listening(house, OTHER), 5)
    deliverer = worker(house)
    with statements_of(house.engine) as made:
        deliverer.deliver(*keys)
    assert states(house, keys) == ["done"] * 10
    # One after the other, in this thread, each outcome is written by itself.
    assert len(made.statements) == 1 + 1 + 10, made.statements
    assert [message.webhook_id for message in house.http.received] == [key.event_id for key in keys]


def test_one_alone_makes_three_statements(house: House) -> None:
    (key,) = messages(house, listening(house))
    with statements_of(house.engine) as made:
        house.deliverer.deliver(key)
    assert len(made.statements) == 3, made.statements


def test_one_that_hangs_keeps_none_of_its_message_waiting(house: House) -> None:
    stuck, others = listening(house), listening(house, OTHER)
    keys = messages(house, stuck) + messages(house, others, 9)
    back = Event()

    def answer(message: WebhookMessage) -> SendResult:
        assert message.endpoint_id != stuck or back.wait(SECONDS)
        return YES

    house.http.answers = answer
    working = Thread(target=worker(house, pool(3)).deliver, args=keys)
    working.start()
    eventually(lambda: states(house, keys[1:]) == ["done"] * 9, "all but the one that hangs")
    assert states(house, keys[:1]) == ["pending"]
    assert working.is_alive(), "the message is at its end when all of it is"
    back.set()
    working.join(SECONDS)
    assert states(house, keys) == ["done"] * 10


def test_nothing_is_leased_before_a_slot_is_free(house: House) -> None:
    keys = messages(house, listening(house), 9)
    back = Event()

    def answer(_message: object) -> SendResult:
        assert back.wait(SECONDS)
        return YES

    house.http.answers = answer
    working = Thread(target=worker(house, pool(4)).deliver, args=keys)
    working.start()
    eventually(lambda: len(house.http.received) == 4, "four messages on their way")
    rows = [house.row(key) for key in keys]
    assert [(row.attempts, row.lease_until is None) for row in rows] == [(1, False)] * 4 + [(0, True)] * 5
    back.set()
    working.join(SECONDS)
    assert states(house, keys) == ["done"] * 9


def test_each_delivery_has_its_own_outcome(house: House) -> None:
    endpoints = {
        answer: listening(house, f"https://partner.example/{answer}") for answer in ("yes", "no", "raises", "paused")
    }
    keys = {answer: messages(house, endpoint)[0] for answer, endpoint in endpoints.items()}

    def answer(message: WebhookMessage) -> SendResult:
        if message.endpoint_id == endpoints["raises"]:
            raise KeyError("a defect")
        return NO if message.endpoint_id == endpoints["no"] else YES

    house.http.answers = answer
    with house.engine.begin() as db:
        db.exec_driver_sql("UPDATE webhook_endpoints SET state = 'paused' WHERE id = %s", (endpoints["paused"],))
    worker(house, pool(4)).deliver(*keys.values())
    assert {name: attempts_kept(house, key) for name, key in keys.items()} == {
        "yes": ["done"],
        "no": ["retry"],
        "raises": ["retry"],
        "paused": ["cancelled"],
    }


def test_the_same_one_named_twice_is_sent_once(house: House) -> None:
    (key,) = messages(house, listening(house))
    worker(house, pool(4)).deliver(key, key, key)
    assert len(house.http.received) == 1
    assert attempts_kept(house, key) == ["done"]


def test_an_error_in_preparation_affects_its_own_delivery_only(house: House) -> None:
    keys = messages(house, listening(house), 3)

    def spoilt(db: Connection, deliveries: Sequence[Delivery]) -> list[WebhookMessage | Exception]:
        if any(delivery.key == keys[1] for delivery in deliveries):
            raise ValueError("no such target")
        return prepare_webhooks(db, deliveries)

    worker(house, pool(2), prepare=spoilt).deliver(*keys)
    assert states(house, keys) == ["done", "pending", "done"]
    assert house.row(keys[1]).last_error == "ValueError: no such target"


def test_ready_messages_are_sent_although_the_database_fails_afterwards(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = messages(house, listening(house), 3)

    def away(*_args: object) -> Any:
        raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))

    def one_defect(db: Connection, deliveries: Sequence[Delivery]) -> list[WebhookMessage | Exception]:
        prepared = prepare_webhooks(db, deliveries)
        return [prepared[0], KeyError("a defect"), prepared[2]]

    monkeypatch.setattr(outbound, "settle_error", away)
    senders = pool(3)
    with pytest.raises(OperationalError):
        worker(house, senders, prepare=one_defect).deliver(*keys)
    assert states(house, keys) == ["done", "pending", "pending"]
    assert senders.acquire(10) == 3, "all senders are free again"


def test_a_send_begun_too_late_is_postponed_uncounted(house: House) -> None:
    keys = messages(house, listening(house), 2)
    late = OutboundRunner(house.transactions, {"http": Route(house.http, pool(2))}, latest_start=-1.0)
    late.deliver(SEND_WEBHOOK, keys)
    assert house.http.received == []
    for row in map(house.row, keys):
        assert (row.state, row.attempts, row.lease_until) == ("pending", 0, None)
        assert row.due_at <= row.now


def test_workers_that_are_told_of_the_same_ones_share_them(house: House) -> None:
    keys = messages(house, listening(house), 60)
    workers = [worker(house, pool(4)) for _ in range(3)]
    orders = (keys, keys[::-1], keys[30:] + keys[:30])
    threads = [Thread(target=each.deliver, args=order) for each, order in zip(workers, orders)]  # noqa: B905
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert Counter(states(house, keys)) == {"done": 60}
    assert len({message.webhook_id for message in house.http.received}) == len(house.http.received) == 60
    assert {row.attempts for row in map(house.row, keys)} == {1}


def test_named_deliveries_are_leased_in_their_order(house: House) -> None:
    keys = messages(house, listening(house), 8)[::-1]
    with house.engine.begin() as db:
        leased = store.claim_leased(db, "webhooks.send", keys, timedelta(minutes=1))
    assert [delivery.key for delivery in leased] == keys
    assert {(delivery.attempt, delivery.fence) for delivery in leased} == {(1, 1)}


def test_only_free_and_due_deliveries_are_leased(house: House) -> None:
    keys = messages(house, listening(house), 6)
    free, done, leased, later, locked, gone = keys
    row = house.row(free)
    house.change(done, state="done", done_at=row.now)
    house.change(leased, lease_until=row.now + timedelta(seconds=30))
    house.change(later, due_at=row.now + timedelta(seconds=30))
    house.change(gone, state="cancelled")
    with house.engine.begin() as onlooker, house.engine.begin() as db:
        onlooker.exec_driver_sql("SELECT FROM deliveries WHERE event_id = %s FOR UPDATE", (locked.event_id,))
        taken = store.claim_leased(db, "webhooks.send", keys, timedelta(minutes=1))
    assert [delivery.key for delivery in taken] == [free]


def test_other_due_deliveries_are_sent_while_slots_are_free(house: House) -> None:
    keys = messages(house, listening(house), 9)
    worker(house, pool(4)).deliver(*keys[-1:])
    assert states(house, keys) == ["done"] * 9
    assert len(house.http.received) == 9


def test_others_are_leased_oldest_first(house: House) -> None:
    keys = messages(house, listening(house), 6)
    named, old, older, leased, later, done = keys
    row = house.row(named)
    house.change(old, due_at=row.now - timedelta(seconds=5))
    house.change(older, due_at=row.now - timedelta(seconds=9))
    house.change(leased, lease_until=row.now + timedelta(seconds=30))
    house.change(later, due_at=row.now + timedelta(seconds=30))
    house.change(done, state="done", done_at=row.now)
    minute = timedelta(minutes=1)
    with house.engine.begin() as db:
        first = store.claim_leased(db, "webhooks.send", [named], minute, others=1)
        rest = store.claim_leased(db, "webhooks.send", [named], minute, others=9)
    assert [delivery.key for delivery in first] == [named, older]
    assert [delivery.key for delivery in rest] == [old]


def test_no_others_are_leased_while_some_are_postponed(house: House) -> None:
    keys = messages(house, listening(house), 9)

    def crowded(_message: object) -> SendResult:
        raise Postpone(datetime.now(UTC) + timedelta(minutes=1), "no room")

    house.http.answers = crowded
    worker(house, pool(2)).deliver(*keys[:1])
    put_off = [row for row in map(house.row, keys) if row.due_at > row.now]
    assert 2 <= len(put_off) < 9
    assert {(row.state, row.attempts) for row in put_off} == {("pending", 0)}


def test_the_rest_is_left_to_the_sweep_without_slots(house: House) -> None:
    keys = messages(house, listening(house), 3)
    back = Event()

    def answer(_message: object) -> SendResult:
        assert back.wait(SECONDS)
        return YES

    house.http.answers = answer
    busy = worker(house, SenderPool(1, acquire_seconds=0.01))
    working = Thread(target=busy.deliver, args=keys[:1])
    working.start()
    eventually(lambda: house.http.received, "one message under way")
    busy.deliver(*keys[1:])
    assert [house.row(key).attempts for key in keys] == [1, 0, 0]
    back.set()
    working.join(SECONDS)


def test_a_stop_leaves_cut_off_messages_to_their_lease(house: House) -> None:
    cut, arrives = messages(house, listening(house), 2)
    senders, stopped = pool(2), Event()

    def answer(message: WebhookMessage) -> SendResult:
        assert stopped.wait(SECONDS)
        return YES if message.webhook_id == arrives.event_id else SendResult(error="The connection ended.")

    house.http.answers = answer
    stopping = worker(house, senders)
    working = Thread(target=stopping.deliver, args=[cut, arrives])
    working.start()
    eventually(lambda: len(house.http.received) == 2, "two messages under way")
    stopping.stop()
    stopped.set()
    working.join(SECONDS)
    assert states(house, [cut, arrives]) == ["pending", "done"]
    row = house.row(cut)
    assert (row.attempts, row.last_error, row.lease_until > row.now) == (1, None, True)
