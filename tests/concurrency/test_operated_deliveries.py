"""Operators and workers at the same delivery: the first one has it, and a late one changes nothing."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, update
from uuid_utils.compat import uuid7

from models.audit import audit_entries
from models.events import DeliveryState, ErrorClass, deliveries, delivery_attempts
from models.webhooks import EndpointState, webhook_endpoints
from tests.concurrency.conftest import RACERS
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from tests.factories import OPERATOR, make_event, make_webhook
from tests.queries import scalars
from workflows.events import claim, settle
from workflows.events.delivery import Attempt, Delivery, DeliveryKey, DeliveryStatus
from workflows.events.record import follow_up
from workflows.events.status import status_query, webhook_status_query
from workflows.notifications.mails import SEND_MAIL
from workflows.operators.deliveries import cancel_delivery, retry_deliveries, retry_delivery
from workflows.webhooks.deliveries import WebhookDelivery, recover, resend
from workflows.webhooks.records import Endpoint

EACH = 20
LEASE = timedelta(seconds=45)
TOOK = timedelta(milliseconds=5)
SETTLES: dict[str, Callable[..., Any]] = {
    "done": lambda db, leased: settle.settle(db, leased, Attempt(outcome="done", took=TOOK)),
    "done together": lambda db, leased: settle.done_outbound(db, [(leased, Attempt(outcome="done", took=TOOK))]),
    "again": lambda db, leased: settle.settle(db, leased, Attempt(outcome="retry", took=TOOK, error="No."), after=TOOK),
    "dead": lambda db, leased: settle.settle(db, leased, Attempt(outcome="dead", took=TOOK, error="No.")),
    "postponed": lambda db, leased: settle.postpone(db, leased, datetime.now(UTC)),
}


def _delivery(db: Connection, **values: Any) -> DeliveryKey:
    event = make_event(db)
    target = str(uuid7())
    follow_up(db, event, SEND_MAIL, [target])
    if values:
        db.execute(update(deliveries).where(deliveries.c.target == target).values(**values))
    return DeliveryKey(event_id=event.id, effect=SEND_MAIL.name, target=target)


def _dead(db: Connection) -> DeliveryKey:
    return _delivery(db, state=DeliveryState.DEAD, attempts=10)


def _leased(engine: Engine) -> Delivery:
    with engine.begin() as db:
        key = _delivery(db)
    with engine.begin() as db:
        (leased,) = claim.claim_leased(db, key.effect, [key], LEASE)
    return leased


def _row(db: Connection, key: DeliveryKey) -> Any:
    return db.execute(select(deliveries).where(deliveries.c.target == key.target)).one()


def _seen(db: Connection, key: DeliveryKey) -> DeliveryStatus:
    return DeliveryStatus.of(db.execute(status_query(_row(db, key).id)).one())


def _retry(db: Connection, *, delivery: DeliveryStatus) -> DeliveryStatus:
    return retry_delivery(db, actor=OPERATOR, delivery=delivery, now=datetime.now(UTC))


def _cancel(db: Connection, *, delivery: DeliveryStatus) -> DeliveryStatus:
    return cancel_delivery(db, actor=OPERATOR, delivery=delivery, reason="Stop.", now=datetime.now(UTC))


def _retry_all(db: Connection) -> int:
    return retry_deliveries(db, actor=OPERATOR, now=datetime.now(UTC), effect=SEND_MAIL.name).retried


def _entries(db: Connection, subject: UUID) -> list[str]:
    query = select(audit_entries.c.action).where(audit_entries.c.subject_id == subject)
    return list(db.scalars(query.order_by(audit_entries.c.id)))


def test_of_many_retries_at_once_one_is_made(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        with engine.begin() as db:
            delivery = _seen(db, _dead(db))
        outcomes = race.transact([partial(_retry, delivery=delivery)] * RACERS)
        assert codes(outcomes) == ["invalid_transition"] * (RACERS - 1)
        with engine.connect() as db:
            assert _entries(db, delivery.id) == ["delivery.retried"]


def test_of_many_retries_of_everything_each_delivery_is_in_one(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        with engine.begin() as db:
            keys = [_dead(db) for _ in range(EACH)]
            single = _seen(db, keys[0])
        outcomes = race.transact([*[_retry_all] * 6, partial(_retry, delivery=single)])
        one_by_one = sum(1 for each in winners(outcomes) if isinstance(each, DeliveryStatus))
        assert sum(each for each in winners(outcomes) if isinstance(each, int)) + one_by_one == EACH
        with engine.connect() as db:
            assert {_row(db, key).state for key in keys} == {DeliveryState.PENDING}


@pytest.mark.parametrize("settle", SETTLES.values(), ids=list(SETTLES))
def test_settling_a_cancelled_delivery_changes_nothing(
    engine: Engine, settle: Callable[[Connection, Delivery], Any]
) -> None:
    leased = _leased(engine)
    with engine.begin() as db:
        # Its lease has ended, and its sender is still on its way.
        over = func.now() - timedelta(seconds=1)
        db.execute(update(deliveries).where(deliveries.c.target == leased.key.target).values(lease_until=over))
        _cancel(db, delivery=_seen(db, leased.key))
        before = _row(db, leased.key)
    with engine.begin() as db:
        assert not claim.hold(db, [leased])
        assert not settle(db, leased)
        assert _row(db, leased.key) == before
        of_target = delivery_attempts.c.target == leased.key.target
        assert db.execute(select(delivery_attempts).where(of_target)).all() == []
    assert (before.state, before.last_error, before.lease_until) == (DeliveryState.CANCELLED, "Stop.", None)


@pytest.mark.parametrize("settle", ["done", "done together", "dead"])
def test_of_a_worker_and_an_operator_one_succeeds(engine: Engine, race: Race, settle: str) -> None:
    for _ in range(ROUNDS):
        leased = _leased(engine)
        with engine.begin() as db:
            delivery = _seen(db, leased.key)
        settled, cancelled = race.transact(
            [partial(SETTLES[settle], leased=leased), partial(_cancel, delivery=delivery)]
        )
        if settle == "done together" and not settled:
            # It passes over a row that is locked, and its worker writes it alone.
            with engine.begin() as db:
                settled = SETTLES["done"](db, leased=leased)
        with engine.connect() as db:
            state = _row(db, leased.key).state
            audited = _entries(db, delivery.id)
        if isinstance(cancelled, DeliveryStatus):
            assert (state, audited) == (DeliveryState.CANCELLED, ["delivery.cancelled"])
            assert settle == "dead", "what has just died is cancelled all the same, and what is being sent is not"
        else:
            assert codes([cancelled])[0] in ("invalid_transition", "delivery_in_progress")
            assert (bool(settled), state, audited) == (True, DeliveryState(settle.partition(" ")[0]), [])


def test_a_concurrent_retry_and_cancellation_end_consistently(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        with engine.begin() as db:
            delivery = _seen(db, _dead(db))
        retried, cancelled = race.transact([partial(_retry, delivery=delivery), partial(_cancel, delivery=delivery)])
        with engine.connect() as db:
            state = db.scalar(select(deliveries.c.state).where(deliveries.c.id == delivery.id))
            entries = _entries(db, delivery.id)
        if not isinstance(cancelled, DeliveryStatus):
            assert codes([cancelled]) == ["delivery_in_progress"]
            assert (state, entries) == ("pending", ["delivery.retried"])
            continue
        assert state == "cancelled"
        if isinstance(retried, DeliveryStatus):
            assert entries == ["delivery.retried", "delivery.cancelled"]
        else:
            assert (codes([retried]), entries) == (["invalid_transition"], ["delivery.cancelled"])


def test_a_late_outcome_does_not_settle_a_later_retry(engine: Engine) -> None:
    leased = _leased(engine)
    with engine.begin() as db:
        # Its lease was over, and another attempt was the last one.
        of_run = deliveries.c.target == leased.key.target
        db.execute(update(deliveries).where(of_run).values(attempts=leased.fence + 1, state=DeliveryState.DEAD))
        _retry(db, delivery=_seen(db, leased.key))
        before = _row(db, leased.key)
    with engine.begin() as db:
        for settle in SETTLES.values():
            assert not settle(db, leased)
        assert _row(db, leased.key) == before
    assert before.state == DeliveryState.PENDING


def test_concurrent_recoveries_send_nothing_twice(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        rounds = _failed(db)
    for endpoint in rounds:
        counts = race.transact([partial(_recover, endpoint=endpoint)] * 8)
        assert sum(counts) == 2 * EACH
        assert _on_their_way(engine, endpoint.id) == 2 * EACH


def test_a_resend_during_recoveries_sends_nothing_twice(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        rounds = _failed(db)
    for endpoint in rounds:
        ids = scalars(engine, select(deliveries.c.id).where(deliveries.c.target == str(endpoint.id))).all()
        calls: list[Any] = [partial(_resend, delivery_id=each) for each in ids[::4]]
        race.transact([partial(_recover, endpoint=endpoint)] * 4 + calls)
        race.transact([partial(_recover, endpoint=endpoint)] * 4)
        assert _on_their_way(engine, endpoint.id) == 2 * EACH


def _failed(db: Connection) -> list[Endpoint]:
    """Active endpoints with deliveries that died, and others that were not sent in a pause."""
    ids = [uuid7() for _ in range(ROUNDS)]
    dead: dict[str, Any] = {"state": DeliveryState.DEAD, "attempts": 10}
    missed: dict[str, Any] = {"state": DeliveryState.CANCELLED, "cancel_reason": ErrorClass.NOT_LISTENING}
    for endpoint_id in ids:
        for values in [dead, missed] * EACH:
            event = make_event(db)
            make_webhook(db, event, endpoint_id)
            db.execute(update(deliveries).where(deliveries.c.event_id == event.id).values(**values))
    # Last of all, so that they heard of none of these events by themselves.
    for endpoint_id in ids:
        values = {"id": endpoint_id, "url": f"https://{endpoint_id}.example", "event_types": ["*"]}
        db.execute(insert(webhook_endpoints).values(state=EndpointState.ACTIVE, **values))
    return [Endpoint.of(db.execute(Endpoint.by_id(endpoint_id)).one()) for endpoint_id in ids]


def _recover(db: Connection, *, endpoint: Endpoint) -> int:
    now = datetime.now(UTC) + timedelta(seconds=1)
    return recover(db, actor=OPERATOR, endpoint=endpoint, since=now - timedelta(hours=1), now=now)


def _resend(db: Connection, *, delivery_id: UUID) -> None:
    delivery = WebhookDelivery.of(db.execute(webhook_status_query(delivery_id)).one())
    resend(db, actor=OPERATOR, delivery=delivery)


def _on_their_way(engine: Engine, endpoint_id: UUID) -> int:
    """How many events are on their way to the endpoint; none of them by two runs."""
    query = select(deliveries.c.event_id).where(
        deliveries.c.target.startswith(str(endpoint_id)), deliveries.c.state == DeliveryState.PENDING
    )
    counts = Counter(scalars(engine, query))
    assert set(counts.values()) == {1}
    return len(counts)
