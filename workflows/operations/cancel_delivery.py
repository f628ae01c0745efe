"""Cancel a pending or dead delivery: an operator's step, for what is not to be done any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import OperationalError

from models.events import DeliveryState, deliveries, states_before
from workflows.audit import write_audit_entry
from workflows.errors import Conflict, InvalidTransition
from workflows.events.store import MAX_ERROR_CHARACTERS, cut
from workflows.identity.actor import Actor
from workflows.operations.delivery import OperatedDelivery, for_operators, operated_query

WITHOUT_A_REASON = "An operator cancelled it."
LOCK_NOT_AVAILABLE = "55P03"


def cancel_delivery(
    db: Connection, *, actor: Actor, delivery: OperatedDelivery, now: datetime, reason: str | None = None
) -> OperatedDelivery:
    """End it as cancelled, for good.

    A worker that runs database effects holds the row until its batch is committed. An outbound message that is being
    sent may still arrive; its outcome is not written any more.

    Args:
        reason: kept as the delivery's last error, and in the audit.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: it is done or cancelled, perhaps just now.
        Conflict: `delivery_in_progress`, while a worker holds it.
    """
    for_operators(actor)
    unlocked = select(deliveries.c.id).where(deliveries.c.id == delivery.id).with_for_update(nowait=True)
    unfinished = (
        deliveries.c.id == unlocked.scalar_subquery(),
        deliveries.c.state.in_(states_before(DeliveryState.CANCELLED)),
    )
    ended = {
        "state": DeliveryState.CANCELLED,
        "lease_until": None,
        "last_error": cut(reason, MAX_ERROR_CHARACTERS) or WITHOUT_A_REASON,
    }
    with _refusing_to_wait():
        cancelled = db.execute(update(deliveries).where(*unfinished).values(**ended)).rowcount
    if not cancelled:
        raise InvalidTransition("Only a pending or a dead delivery is cancelled.")
    write_audit_entry(
        db,
        actor=actor,
        action="delivery.cancelled",
        subject=("delivery", delivery.id),
        reason=reason,
        data={"effect": delivery.effect, "eventId": str(delivery.event_id)},
        now=now,
    )
    return OperatedDelivery.of(db.execute(operated_query(delivery.id)).one())


@contextmanager
def _refusing_to_wait() -> Iterator[None]:
    # A batch of a worker may take a while, and the operator's request is not to wait for it.
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise Conflict(
            "A worker has this delivery in hand; look again in a moment whether it is done.",
            code="delivery_in_progress",
            retry_after=1,
        ) from error
