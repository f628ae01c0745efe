"""Cancel a pending or dead delivery: an operator's step, for what is not to be done any more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from models.events import DeliveryState, deliveries, states_before
from workflows.audit.note import note
from workflows.errors import InvalidTransition
from workflows.events.store import MAX_ERROR_CHARACTERS, cut
from workflows.identity.actor import Actor
from workflows.operations.delivery import OperatedDelivery, for_operators, operated_query

WITHOUT_A_REASON = "An operator cancelled it."


def cancel_delivery(
    db: Connection, *, actor: Actor, delivery: OperatedDelivery, now: datetime, reason: str | None = None
) -> OperatedDelivery:
    """End it as cancelled, for good.

    A worker that runs an effect in the database holds the row, and is waited for: what it has done stays done. What is
    just leaving the house may still arrive; its outcome is not written any more.

    Args:
        reason: kept as the delivery's last error, and in the audit.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: it is done or cancelled, perhaps just now.
    """
    for_operators(actor)
    unfinished = (deliveries.c.id == delivery.id, deliveries.c.state.in_(states_before(DeliveryState.CANCELLED)))
    ended = {
        "state": DeliveryState.CANCELLED,
        "lease_until": None,
        "last_error": cut(reason, MAX_ERROR_CHARACTERS) or WITHOUT_A_REASON,
    }
    if not db.execute(update(deliveries).where(*unfinished).values(**ended)).rowcount:
        raise InvalidTransition("Only a pending or a dead delivery is cancelled.")
    note(
        db,
        actor=actor,
        action="delivery.cancelled",
        subject=("delivery", delivery.id),
        reason=reason,
        data={"effect": delivery.effect, "eventId": str(delivery.event_id)},
        now=now,
    )
    return OperatedDelivery.of(db.execute(operated_query(delivery.id)).one())
