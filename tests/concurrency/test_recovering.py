"""Many who recover and resend the same at once: every message is on its way once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, select, update
from uuid_utils.compat import uuid7

from models.events import DeliveryState, ErrorClass, deliveries
from models.webhooks import EndpointState, webhook_endpoints
from tests.concurrency.racing import Race, deadlocks
from tests.factories import OPERATOR, make_event
from workflows.effects.webhooks import SEND_WEBHOOK
from workflows.events.record import follow_up
from workflows.events.store import webhook_status_query
from workflows.webhooks.deliveries import WebhookDelivery, recover, resend
from workflows.webhooks.endpoints import Endpoint, endpoint_query

ROUNDS = 10
EACH = 20


def test_however_many_recover_at_once_nothing_is_sent_twice(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        rounds = _failed(db)
    engine.dispose()
    before = deadlocks(engine)
    for endpoint in rounds:
        counts = race.transact([partial(_recover, endpoint=endpoint)] * 8)
        assert sum(counts) == 2 * EACH
        assert _on_their_way(engine, endpoint.id) == 2 * EACH
    engine.dispose()
    assert deadlocks(engine) == before


def test_a_resend_amid_it_sends_nothing_twice_either(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        rounds = _failed(db)
    engine.dispose()
    before = deadlocks(engine)
    for endpoint in rounds:
        with engine.connect() as db:
            ids = db.scalars(select(deliveries.c.id).where(deliveries.c.target == str(endpoint.id))).all()
        calls: list[Any] = [partial(_resend, delivery_id=each) for each in ids[::4]]
        race.transact([partial(_recover, endpoint=endpoint)] * 4 + calls)
        race.transact([partial(_recover, endpoint=endpoint)] * 4)
        assert _on_their_way(engine, endpoint.id) == 2 * EACH
    engine.dispose()
    assert deadlocks(engine) == before


def _failed(db: Connection) -> list[Endpoint]:
    """Active endpoints with deliveries that died, and others that were not sent in a pause."""
    ids = [uuid7() for _ in range(ROUNDS)]
    missed = {"state": DeliveryState.CANCELLED, "cancel_reason": ErrorClass.NOT_LISTENING}
    for endpoint_id in ids:
        for values in [{"state": DeliveryState.DEAD, "attempts": 10}, missed] * EACH:
            event = make_event(db)
            follow_up(db, event, SEND_WEBHOOK, [str(endpoint_id)])
            of_run = (deliveries.c.event_id == event.id, deliveries.c.target == str(endpoint_id))
            db.execute(update(deliveries).where(*of_run).values(endpoint_id=endpoint_id, **values))
    # Last of all, so that they heard of none of these events by themselves.
    for endpoint_id in ids:
        values = {"id": endpoint_id, "url": f"https://{endpoint_id}.example", "event_types": ["*"]}
        db.execute(insert(webhook_endpoints).values(state=EndpointState.ACTIVE, **values))
    return [Endpoint.of(db.execute(endpoint_query(endpoint_id)).one()) for endpoint_id in ids]


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
    with engine.connect() as db:
        counts = Counter(db.scalars(query))
    assert set(counts.values()) == {1}
    return len(counts)
