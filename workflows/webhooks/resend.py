"""Send a message again: the same event under the same `webhook-id`, signed with the secrets of the day."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, or_, select, update

from models.events import DeliveryState, deliveries, events
from workflows.errors import NotFound
from workflows.events.catalogue import Event, WebhookPinged, event_types
from workflows.events.record import Nudge, enqueue_wakeups, follow_up
from workflows.events.revive import DUE_NOW, REVIVED
from workflows.identity.actor import Actor
from workflows.outside.send_webhook import SEND_WEBHOOK
from workflows.webhooks.deliveries import (
    IS_WEBHOOK,
    WebhookDelivery,
    delivery_query,
    keeper_of_endpoint,
)
from workflows.webhooks.endpoint import listening
from workflows.webhooks.fan_out import target_of


def resend(db: Connection, *, actor: Actor, delivery: WebhookDelivery) -> WebhookDelivery:
    """Make a pending one due now, give a dead one all its attempts again, or send a finished one anew.

    A message that is being resent already is not resent a second time.

    Returns:
        The delivery that is on its way; for a finished one that is another one.

    Raises:
        Forbidden: the endpoint is somebody else's.
        Conflict: the endpoint is not told anything now.
        NotFound: it has just been let go of.
    """
    keeper_of_endpoint(actor, delivery)
    if delivery.event_type != WebhookPinged.type:
        listening(delivery.endpoint_state)
    runs = _locked_runs(db, delivery)
    present = next((run for run in runs if run.id == delivery.id), None)
    if present is None:
        raise NotFound("This delivery is so old that it has just been let go of.")
    on_its_way = present if present.state in (DeliveryState.PENDING, DeliveryState.DEAD) else _pending(runs)
    delivery_id = (
        _hasten(db, on_its_way) if on_its_way is not None else _anew(db, delivery, 1 + max(run.resend for run in runs))
    )
    return WebhookDelivery.of(db.execute(delivery_query(delivery_id)).one())


def _locked_runs(db: Connection, delivery: WebhookDelivery) -> list[Row[Any]]:
    """Every run of this event to this endpoint, in one order, so that two resends at once see each other."""
    query = (
        select(
            deliveries.c.id,
            deliveries.c.state,
            deliveries.c.event_id,
            deliveries.c.effect,
            deliveries.c.target,
            deliveries.c.resend,
            deliveries.c.queue,
            events.c.subject_type,
            events.c.subject_id,
        )
        .join_from(deliveries, events, events.c.id == deliveries.c.event_id)
        .where(
            deliveries.c.event_id == delivery.event_id,
            IS_WEBHOOK,
            deliveries.c.endpoint_id == delivery.endpoint_id,
        )
        .order_by(deliveries.c.resend)
        .with_for_update(key_share=True, of=deliveries)
    )
    return list(db.execute(query))


def _pending(runs: list[Row[Any]]) -> Row[Any] | None:
    return next((run for run in runs if run.state is DeliveryState.PENDING), None)


def _hasten(db: Connection, run: Row[Any]) -> UUID:
    delivery_id: UUID = run.id
    due = REVIVED if run.state is DeliveryState.DEAD else DUE_NOW
    free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= func.now())
    # Whoever holds the lease is sending it this very moment.
    if db.execute(update(deliveries).where(deliveries.c.id == delivery_id, free).values(**due)).rowcount:
        enqueue_wakeups(db, [Nudge.of(run)])
    return delivery_id


def _anew(db: Connection, delivery: WebhookDelivery, number: int) -> UUID:
    event, target = _event(db, delivery.event_id), target_of(delivery.endpoint_id, number)
    follow_up(db, event, SEND_WEBHOOK, [target], endpoint_id=delivery.endpoint_id, resend=number)
    anew = select(deliveries.c.id).where(
        deliveries.c.event_id == event.id, deliveries.c.effect == SEND_WEBHOOK.name, deliveries.c.target == target
    )
    delivery_id: UUID = db.execute(anew).scalar_one()
    return delivery_id


def _event(db: Connection, event_id: UUID) -> Event:
    row = db.execute(select(events).where(events.c.id == event_id)).one()
    return event_types()[row.type].read(
        id=row.id, actor=row.actor, occurred_at=row.occurred_at, sequence=row.sequence, data=row.data
    )
