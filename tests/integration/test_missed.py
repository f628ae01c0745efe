"""Tests of what an endpoint misses: what happens or comes due while it is not active is kept, and can be recovered."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, select, text
from structlog.testing import capture_logs

from models.events import deliveries
from models.webhooks import EndpointState
from tests.factories import OPERATOR, make_booking, make_webhook
from tests.integration.endpoints import an_event, attempts_kept, endpoint, listening, messages, set_endpoint
from tests.integration.harness import Harness
from tests.queries import execute
from workers.maintain import maintain
from workflows.effects.webhooks import SEND_WEBHOOK
from workflows.events import repair
from workflows.events.delivery import DeliveryKey
from workflows.events.record import record
from workflows.events.status import webhook_status_query
from workflows.kernel.errors import NotFound
from workflows.webhooks.deliveries import WebhookDelivery, forget_missed_messages, recover, resend
from workflows.webhooks.records import Endpoint

NOT_ACTIVE = [EndpointState.PENDING, EndpointState.PAUSED, EndpointState.DISABLED]


def becomes(harness: Harness, endpoint_id: UUID, state: EndpointState) -> None:
    reason = "No answer." if state is EndpointState.DISABLED else None
    set_endpoint(harness, endpoint_id, state=state, disabled_reason=reason)


def runs(harness: Harness, endpoint_id: UUID) -> list[Any]:
    query = select(deliveries).where(deliveries.c.target.startswith(str(endpoint_id)))
    return list(execute(harness.engine, query.order_by(deliveries.c.event_id, deliveries.c.target)))


def recovered(harness: Harness, endpoint_id: UUID) -> int:
    with harness.transactions() as db:
        found = Endpoint.of(db.execute(Endpoint.by_id(endpoint_id)).one())
        now = db.execute(select(func.now())).scalar_one()
        return recover(db, actor=OPERATOR, endpoint=found, since=now - timedelta(hours=1), now=now)


@pytest.mark.parametrize("state", NOT_ACTIVE)
def test_events_for_an_inactive_endpoint_are_kept_without_a_wakeup(harness: Harness, state: EndpointState) -> None:
    partner, other = listening(harness), listening(harness, "https://other.example", event_types=["session.*"])
    becomes(harness, partner, state)
    becomes(harness, other, state)
    with capture_logs() as lines, harness.transactions() as db:
        make_booking(db)
    harness.wakeups.kept.clear()
    (run,) = runs(harness, partner)
    (line,) = [line for line in lines if line["event"] == "delivery.cancelled"]
    assert (line["delivery_id"], line["endpoint_id"], line["error_class"]) == (run.id, partner, "not_listening")
    assert (run.state, run.cancel_reason, run.last_error) == (
        "cancelled",
        "not_listening",
        f"The webhook endpoint is {state}.",
    )
    assert (runs(harness, other), harness.wakeups.kept) == ([], []), "what it did not ask for is not missed"
    becomes(harness, partner, EndpointState.ACTIVE)
    assert recovered(harness, partner) == 1
    harness.run_all()
    assert [(run.state, run.target) for run in runs(harness, partner)] == [
        ("cancelled", str(partner)),
        ("done", f"{partner}:1"),
    ]
    assert [message.webhook_id for message in harness.http.received] == [run.event_id]


@pytest.mark.parametrize("state", NOT_ACTIVE)
def test_deliveries_due_for_an_inactive_endpoint_are_recovered(harness: Harness, state: EndpointState) -> None:
    partner = listening(harness)
    (key,) = messages(harness, partner)
    becomes(harness, partner, state)
    row = harness.delivered(key)
    assert (row.state, row.cancel_reason, attempts_kept(harness, key)) == ("cancelled", "not_listening", ["cancelled"])
    becomes(harness, partner, EndpointState.ACTIVE)
    assert [recovered(harness, partner), recovered(harness, partner)] == [1, 0]
    harness.run_all()
    assert [run.state for run in runs(harness, partner)] == ["cancelled", "done"]


# Recovery reaches back fourteen days: an endpoint that was inactive for longer is probably gone.
@pytest.mark.parametrize(("silent_for", "kept"), [(timedelta(days=13), 1), (timedelta(days=15), 0)])
@pytest.mark.parametrize("state", NOT_ACTIVE)
def test_missed_events_are_kept_within_fourteen_days_of_activity(
    harness: Harness, state: EndpointState, silent_for: timedelta, kept: int
) -> None:
    partner = listening(harness)
    becomes(harness, partner, state)
    set_endpoint(harness, partner, active_until=func.now() - silent_for)
    with harness.transactions() as db:
        make_booking(db)
    assert len(runs(harness, partner)) == kept


def test_the_fourteen_days_begin_when_an_endpoint_becomes_inactive(harness: Harness) -> None:
    partner = listening(harness)
    set_endpoint(harness, partner, active_until=func.now() - timedelta(days=60))
    becomes(harness, partner, EndpointState.PAUSED)
    with harness.transactions() as db:
        make_booking(db)
    assert len(runs(harness, partner)) == 1
    ceased = endpoint(harness, partner).active_until
    for state in (EndpointState.DISABLED, EndpointState.PENDING):
        becomes(harness, partner, state)
        assert endpoint(harness, partner).active_until == ceased


def test_maintain_deletes_missed_deliveries_that_cannot_be_recovered(harness: Harness) -> None:
    partner = listening(harness)
    old, young = timedelta(days=15), timedelta(days=13)
    missed = {"state": "cancelled", "cancel_reason": "not_listening"}
    gone = [happened(harness, partner, ago=old, **missed) for _ in range(3)]
    stays = [
        happened(harness, partner, ago=young, **missed),
        # A recovery of the oldest may still be running.
        happened(harness, partner, ago=timedelta(days=14, minutes=30), **missed),
        happened(harness, partner, ago=old),
        happened(harness, partner, ago=old, state="dead", attempts=10),
        happened(harness, partner, ago=old, state="done", done_at=func.now(), attempts=1),
        # An explicit decision, and what was tried before: both are kept.
        happened(harness, partner, ago=old, state="cancelled", last_error="An operator cancelled it."),
        happened(harness, partner, ago=old, attempts=1, **missed),
    ]

    def one_by_one(db: Connection) -> bool:
        return forget_missed_messages(db, now=datetime.now(UTC), limit=1)

    for left in (1, 0):
        maintain(harness.transactions, {"one by one": one_by_one}, batches=2)
        assert len(runs(harness, partner)) == len(stays) + left, "in small batches, and not too many of them a round"
    assert [run.event_id for run in runs(harness, partner)] == sorted(stays)
    assert not set(stays) & set(gone)


def test_missed_deliveries_are_found_by_an_index(harness: Harness) -> None:
    with harness.engine.begin() as db:
        db.execute(text("SET LOCAL enable_seqscan = off"))
        explain = text(f"EXPLAIN {repair.delete_missed.statement.text}")
        plan = db.execute(explain, {"before_id": UUID(int=0), "limit": 9}).scalars().all()
    assert any("ix_deliveries_missed" in line for line in plan), plan


def test_resends_are_numbered_on_after_the_first_was_deleted(harness: Harness) -> None:
    partner = listening(harness)
    event_id = happened(harness, partner, ago=timedelta(days=15), state="cancelled", cancel_reason="not_listening")
    (run,) = runs(harness, partner)
    first = resent(harness, run.id)
    harness.deliver("webhooks.send", event_id, first.target)
    maintain(harness.transactions)
    assert [run.target for run in runs(harness, partner)] == [f"{partner}:1"]
    assert resent(harness, first.id).target == f"{partner}:2"


def test_a_deleted_missed_delivery_cannot_be_resent(harness: Harness) -> None:
    partner = listening(harness)
    happened(harness, partner, ago=timedelta(days=15), state="cancelled", cancel_reason="not_listening")
    (run,) = runs(harness, partner)
    seen = WebhookDelivery.of(execute(harness.engine, webhook_status_query(run.id)).one())
    maintain(harness.transactions)
    with harness.transactions() as db, pytest.raises(NotFound):
        resend(db, actor=OPERATOR, delivery=seen)


def happened(harness: Harness, endpoint_id: UUID, *, ago: timedelta, **values: Any) -> UUID:
    """An event of then, with its message to the endpoint as the values have it; returns the event's id."""
    moment = datetime.now(UTC) - ago
    event_id = UUID(int=(int(moment.timestamp() * 1000) << 80) | secrets.randbits(80))
    event = replace(an_event(), id=event_id, occurred_at=moment)
    with harness.transactions() as db:
        record(db, event)
        make_webhook(db, event, endpoint_id)
    key = DeliveryKey(event_id=event_id, effect=SEND_WEBHOOK.name, target=str(endpoint_id))
    if values:
        harness.change(key, **values)
    return event_id


def resent(harness: Harness, delivery_id: UUID) -> WebhookDelivery:
    with harness.transactions() as db:
        delivery = WebhookDelivery.of(db.execute(webhook_status_query(delivery_id)).one())
        return resend(db, actor=OPERATOR, delivery=delivery)
