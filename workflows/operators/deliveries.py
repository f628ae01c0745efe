"""Operators' actions on deliveries: list them, retry dead letters, and cancel deliveries."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from uuid_utils.compat import uuid7

from models.events import DeliveryState
from models.sqlstates import LOCK_NOT_AVAILABLE, sqlstate_of
from workflows.audit.log import write_audit_entry
from workflows.events import repair, status
from workflows.events.delivery import DeliveryStatus
from workflows.events.subscriptions import load
from workflows.identity.access import require_operator
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition
from workflows.kernel.paging import NEWEST_EVENT_FIRST, PagedList
from workflows.webhooks.deliveries import WebhookDelivery, require_sendable

DELIVERIES = PagedList(DeliveryStatus, NEWEST_EVENT_FIRST, status.statuses_query)
DEFAULT_REASON = "An operator cancelled it."


@dataclass(frozen=True, kw_only=True)
class Retried:
    """How many dead letters were requeued, and under which id the audit has it."""

    id: UUID
    retried: int


def retry_delivery(db: Connection, *, actor: Actor, delivery: DeliveryStatus, now: datetime) -> DeliveryStatus:
    """Make a dead delivery pending and due now, with all its attempts again.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: it is not dead, or no longer.
        Conflict: `endpoint_not_active`, of a webhook whose endpoint would take no message.
    """
    require_operator(actor)
    if delivery.effect == "webhooks.send" and delivery.state is DeliveryState.DEAD:
        require_sendable(WebhookDelivery.of(db.execute(status.webhook_status_query(delivery.id)).one()))
    # Of two at once, the later one waits for the row, and finds it pending.
    if not repair.requeue(db, delivery.id, DeliveryState.DEAD):
        raise InvalidTransition(_not_dead(delivery.state))
    write_audit_entry(
        db,
        actor=actor,
        action="delivery.retried",
        subject=("delivery", delivery.id),
        data={"effect": delivery.effect, "eventId": str(delivery.event_id), "attempts": delivery.attempts},
        now=now,
    )
    return _status(db, delivery.id)


def _not_dead(state: DeliveryState) -> str:
    """Why a delivery is not retried, by the state that it was read in."""
    if state is DeliveryState.PENDING:
        return "Only a dead delivery is retried. This one is pending, and is attempted when it is due."
    if state is DeliveryState.DEAD:
        return "Only a dead delivery is retried. This one is being retried."
    return f"Only a dead delivery is retried. This one is {state}, which is final."


def retry_deliveries(
    db: Connection, *, actor: Actor, now: datetime, effect: str | None = None, since: datetime | None = None
) -> Retried:
    """Give dead deliveries all their attempts again, the oldest events first, at most 10,000 and 25 a second.

    Webhooks whose endpoint is not active are left out.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: there is no such effect, so that nothing would ever run it.
    """
    require_operator(actor)
    known = [each.name for each in load().all()]
    if effect is not None and effect not in known:
        raise Invalid("There is no such effect.", details={"effect": [f"unknown effect {effect}"]})
    requeued = repair.requeue_dead(
        db, known if effect is None else [effect], since=since or datetime.min.replace(tzinfo=UTC)
    )
    done = Retried(id=uuid7(), retried=requeued)
    write_audit_entry(
        db,
        actor=actor,
        action="deliveries.retried",
        subject=("retry", done.id),
        data={"effect": effect, "since": since.isoformat() if since else None, "retried": done.retried},
        now=now,
    )
    return done


def cancel_delivery(
    db: Connection, *, actor: Actor, delivery: DeliveryStatus, now: datetime, reason: str | None = None
) -> DeliveryStatus:
    """End a pending or dead delivery as cancelled, for good.

    A worker that runs database effects holds the row until its batch is committed. An outbound message that is being
    sent may still arrive; its outcome is not written then.

    Args:
        reason: kept as the delivery's last error, and in the audit.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: it is done or cancelled, perhaps just now.
        Conflict: `delivery_in_progress`, while a worker holds it.
    """
    require_operator(actor)
    try:
        cancelled = repair.cancel(db, delivery.id, reason or DEFAULT_REASON)
    except OperationalError as error:
        if sqlstate_of(error) != LOCK_NOT_AVAILABLE:
            raise
        raise _in_progress() from error
    if not cancelled:
        if repair.is_leased(db, delivery.id):
            raise _in_progress()
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
    return _status(db, delivery.id)


def _status(db: Connection, delivery_id: UUID) -> DeliveryStatus:
    return DeliveryStatus.of(db.execute(status.status_query(delivery_id)).one())


def _in_progress() -> Conflict:
    return Conflict(code="delivery_in_progress", retry_after=1)
