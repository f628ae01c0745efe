"""Deliveries to webhook endpoints: their recipients, the view of their owners, resends and recoveries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from models.events import DeliveryState, ErrorClass
from models.webhooks import EndpointState
from workflows.events import repair, status
from workflows.events.delivery import DeliveryStatus
from workflows.events.event import Event
from workflows.events.event_types import WebhookExampleAsked, WebhookPinged
from workflows.identity.access import require_endpoint_owner
from workflows.identity.actor import Actor
from workflows.kernel.clock import first_id_at
from workflows.kernel.errors import Invalid, NotFound
from workflows.kernel.expired import BATCH_ROWS
from workflows.kernel.paging import NEWEST_EVENT_FIRST, PagedList
from workflows.kernel.records import Record
from workflows.webhooks.quotas import NO_QUOTAS, MessageQuotas, use_recovery, use_resend
from workflows.webhooks.records import Endpoint, require_active

INTERNAL_ERROR = "Something went wrong on our side, not on yours."
# Messages that an endpoint missed while it was not active can be recovered for so long, and are deleted a little later.
RECOVERABLE_FOR = timedelta(days=14)
DELETION_GRACE = timedelta(hours=1)


def listeners(endpoint: str, event: str) -> str:
    """Whether an endpoint asked for an announced event and may know of it, as a condition of SQL.

    A mentor's endpoint gets that mentor's events alone, an operator's all of them. An endpoint that is no longer active
    is among them for as long as the messages that it misses can be recovered.

    Args:
        endpoint: the alias of `webhook_endpoints`.
        event: the alias of a relation with the columns `type` and `mentor_profile_id`.
    """
    # No `IS NOT DISTINCT FROM`: no index serves it.
    return f"""
        {endpoint}.event_types && ARRAY[{event}.type, split_part({event}.type, '.', 1) || '.*', '*']
        AND ({endpoint}.mentor_profile_id IS NULL OR {endpoint}.mentor_profile_id = {event}.mentor_profile_id)
        AND ({endpoint}.state = 'active' OR {endpoint}.active_until > now() - interval '{RECOVERABLE_FOR.days} days')
    """


# The part of the recording statement that writes webhook deliveries. A delivery to an endpoint that is not active is
# cancelled at once: it needs neither a wake-up nor a worker.
FAN_OUT_ROWS = f"""
SELECT announced.event_id, 'webhooks.send' AS effect, CAST(e.id AS text) AS target, e.id, 'webhooks',
       CAST(CASE WHEN e.state = 'active' THEN 'pending' ELSE 'cancelled' END AS delivery_state),
       CASE WHEN e.state <> 'active' THEN 'The webhook endpoint is ' || e.state || '.' END,
       CASE WHEN e.state <> 'active' THEN 'not_listening' END
FROM announced JOIN webhook_endpoints e ON {listeners("e", "announced")}
"""


def directly_to(event: Event) -> UUID | None:
    """The one endpoint of a ping or of an example, in whichever state it is."""
    return event.webhook_endpoint_id if isinstance(event, WebhookPinged | WebhookExampleAsked) else None


@dataclass(frozen=True, kw_only=True)
class WebhookDelivery(DeliveryStatus):
    """One message to one endpoint; a resend of a message that has arrived is another one, with the same event."""

    endpoint_id: UUID
    endpoint_state: EndpointState | None  # None once it is deleted
    mentor_profile_id: UUID | None
    last_status_code: int | None
    last_error_class: str | None

    @property
    def shown_error(self) -> str | None:
        """The last failure, as its owner reads it."""
        return _shown_error(self.last_error, self.last_error_class)


@dataclass(frozen=True, kw_only=True)
class AttemptRecord(Record):
    """One attempt to reach the endpoint."""

    attempt: int
    outcome: str
    error: str | None
    error_class: str | None
    status_code: int | None
    response: str | None
    duration_ms: int
    created_at: datetime

    @property
    def began_at(self) -> datetime:
        """When it was made: the row was written when it was over."""
        return self.created_at - timedelta(milliseconds=self.duration_ms)

    @property
    def shown_error(self) -> str | None:
        """The failure, as the endpoint's owner reads it."""
        return _shown_error(self.error, self.error_class)


# Of a message that is sent again and again.
MAX_SHOWN_ATTEMPTS = 100
WEBHOOK_DELIVERIES = PagedList(WebhookDelivery, NEWEST_EVENT_FIRST, status.webhook_statuses_query)


def attempts_of(db: Connection, delivery: WebhookDelivery) -> list[AttemptRecord]:
    """The latest attempts that were recorded, in their order."""
    rows = status.attempts_of_webhook(db, delivery.event_id, delivery.target, limit=MAX_SHOWN_ATTEMPTS)
    return [AttemptRecord.of(row) for row in rows][::-1]


def require_sendable(delivery: WebhookDelivery) -> None:
    """Require an active endpoint, or one that is not deleted for a ping; raises Conflict."""
    if delivery.endpoint_state is None or delivery.event_type != WebhookPinged.type:
        require_active(delivery.endpoint_state)


def resend(
    db: Connection, *, actor: Actor, delivery: WebhookDelivery, quotas: MessageQuotas = NO_QUOTAS
) -> WebhookDelivery:
    """Send a message again, under the same `webhook-id` and signed with the present secrets.

    A pending delivery becomes due now, a dead one gets all its attempts again, and a finished one is followed by
    another one, unless another is pending already. They wait while the endpoint's circuit breaker is open, and for
    their turns under its rate limit.
    Returns the delivery that is pending then.

    Raises:
        Forbidden: the endpoint has another owner.
        Conflict: the endpoint is not active.
        NotFound: it has just been deleted.
        RateLimited: too many messages to the endpoint have been sent again.
    """
    require_endpoint_owner(actor, delivery)
    require_sendable(delivery)
    use_resend(db, delivery.endpoint_id, quotas)
    states = repair.lock_runs(db, event_id=delivery.event_id, endpoint_id=delivery.endpoint_id)
    if delivery.id not in states:
        raise NotFound("This delivery is so old that it has just been deleted.")
    unfinished = [id for id, state in states.items() if state is DeliveryState.PENDING]
    if states[delivery.id] in (DeliveryState.PENDING, DeliveryState.DEAD):
        unfinished = [delivery.id]
    if unfinished:
        pending_id = unfinished[0]
        repair.requeue(db, pending_id, DeliveryState.PENDING, DeliveryState.DEAD)
    else:
        pending_id = repair.add_run(db, delivery.id)
    return WebhookDelivery.of(db.execute(status.webhook_status_query(pending_id)).one())


def recover(
    db: Connection,
    *,
    actor: Actor,
    endpoint: Endpoint,
    since: datetime,
    now: datetime,
    until: datetime | None = None,
    quotas: MessageQuotas = NO_QUOTAS,
) -> int:
    """Send again what failed in that time, of the types that the endpoint asks for; returns how many there were.

    A dead delivery gets all its attempts again. One that was cancelled since the endpoint was not active is followed by
    another of the same event, unless one followed already. A pending one is sent at its time anyway, and keeps its
    attempts and its pause: a receiver that recovers again and again would otherwise be sent each message at once.

    Args:
        since: the earliest event, at most 14 days back.
        until: the first event that is left alone; None for now.

    Raises:
        Forbidden: the endpoint has another owner.
        Conflict: the endpoint is not active.
        Invalid: a time too long ago, yet to come, or that ends before it begins.
        RateLimited: the endpoint has been recovered too often.
    """
    require_endpoint_owner(actor, endpoint)
    if since < now - RECOVERABLE_FOR:
        raise _invalid_time("since", f"Must be at most {RECOVERABLE_FOR.days} days ago.")
    if since > now:
        raise _invalid_time("since", "Must not be in the future.")
    if until is not None and until <= since:
        raise _invalid_time("until", "Must be after since.")
    require_active(endpoint.state)
    use_recovery(db, endpoint.id, quotas)
    return repair.recover(db, endpoint.id, endpoint.event_types, since=since, until=until or now)


def forget_missed_messages(db: Connection, *, now: datetime, limit: int = BATCH_ROWS) -> bool:
    """Delete a batch of the missed messages that can no longer be recovered; returns whether there may be more."""
    return repair.delete_missed(db, limit=limit, before_id=first_id_at(now - RECOVERABLE_FOR - DELETION_GRACE))


def _invalid_time(field: str, reason: str) -> Invalid:
    return Invalid("There is nothing to recover in that time.", details={field: [reason]})


def _shown_error(error: str | None, error_class: str | None) -> str | None:
    # Our defects are for operators to read.
    return INTERNAL_ERROR if error is not None and error_class == ErrorClass.INTERNAL else error
