"""Retry a dead delivery: an operator's step, once what killed it has been mended."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from models.events import DeliveryState, deliveries, states_before
from workflows.audit import write_audit_entry
from workflows.errors import InvalidTransition
from workflows.events.record import Nudge, enqueue_wakeups
from workflows.events.revive import REVIVED
from workflows.identity.actor import Actor
from workflows.operations.delivery import OperatedDelivery, for_operators, operated_query


def retry_delivery(db: Connection, *, actor: Actor, delivery: OperatedDelivery, now: datetime) -> OperatedDelivery:
    """Make it pending and due now, with all its attempts again.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: it is not dead, or no longer.
    """
    for_operators(actor)
    dead = (deliveries.c.id == delivery.id, deliveries.c.state.in_(states_before(DeliveryState.PENDING)))
    # Of two at once, the later one waits for the row, and finds it pending.
    if not db.execute(update(deliveries).where(*dead).values(**REVIVED)).rowcount:
        raise InvalidTransition("Only a dead delivery is retried.")
    row = db.execute(operated_query(delivery.id)).one()
    enqueue_wakeups(db, [Nudge.of(row)])
    write_audit_entry(
        db,
        actor=actor,
        action="delivery.retried",
        subject=("delivery", delivery.id),
        data={"effect": delivery.effect, "eventId": str(delivery.event_id), "attempts": delivery.attempts},
        now=now,
    )
    return OperatedDelivery.of(row)
