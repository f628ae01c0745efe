"""Effects of the queue `webhooks`: each event becomes a message to every endpoint that subscribes to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from models.events import ErrorClass
from models.prepared import PreparedStatement
from models.webhooks import EndpointState, webhook_endpoints, webhook_secrets
from workflows.availability.changes import announce_held_back
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, Cancel, Delivery, RetryPolicy, SendResult
from workflows.events.event_types import AvailabilityAnnouncementSet, WebhookPinged
from workflows.events.repair import hasten_postponed
from workflows.events.subscriptions import (
    FanOut,
    OutboundEffect,
    prepare_each,
    register_fan_out,
    register_outbound,
    subscribe,
)
from workflows.kernel.errors import Invalid
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.webhooks.actions import DELETED, activate, is_valid
from workflows.webhooks.deliveries import FAN_OUT_ROWS, directly_to
from workflows.webhooks.health import admit, end_probe, record_failure, record_success
from workflows.webhooks.messages import body_of

_VALID_SECRETS = (
    select(func.array_agg(aggregate_order_by(webhook_secrets.c.sealed_secret, webhook_secrets.c.id.desc())))
    .where(webhook_secrets.c.endpoint_id == webhook_endpoints.c.id, is_valid())
    .scalar_subquery()
)
# Each endpoint with its valid secrets, the newest first, in one row.
_RECEIVERS = PreparedStatement(
    select(
        *webhook_endpoints.c["id", "url", "headers", "state", "failures", "open_until"], _VALID_SECRETS.label("secrets")
    ).where(webhook_endpoints.c.id == any_(bindparam("endpoint_ids", type_=ARRAY(Uuid))))
)


@dataclass(frozen=True, kw_only=True)
class WebhookMessage:
    """One message to one endpoint. The transport unseals secrets and headers, and signs `webhook_id.timestamp.body`."""

    url: str
    webhook_id: UUID  # the event's id, the same on every attempt and for every endpoint
    body: bytes
    headers: dict[str, Any]
    sealed_secrets: list[str]
    endpoint_id: UUID
    delivery_id: UUID  # of this endpoint's delivery, for logs
    prepared_at: datetime  # by the database's clock
    has_failures: bool = False  # whether the endpoint's last message failed
    # Until when the endpoint's circuit breaker was open when this message passed it.
    breaker_until: datetime | None = None
    is_probe: bool = False  # whether it alone passed it, to see whether the endpoint is well again


def prepare_webhooks(db: Connection, deliveries: Sequence[Delivery]) -> list[WebhookMessage | Exception]:
    """The messages, with all endpoints read at once."""
    endpoint_ids = list({delivery.endpoint_id for delivery in deliveries})
    found = {row["id"]: row for row in _RECEIVERS.all(db, {"endpoint_ids": endpoint_ids})}
    return prepare_each(deliveries, lambda delivery: _message(db, delivery, found))


def _message(db: Connection, delivery: Delivery, found: Mapping[UUID, Mapping[str, Any]]) -> WebhookMessage:
    """The message, unless its endpoint takes none now.

    Raises:
        Cancel: the endpoint is deleted or not active, or the message is too large.
        Postpone: the endpoint's circuit breaker is open.
    """
    row = found.get(delivery.endpoint_id) if delivery.endpoint_id else None
    if row is None:
        raise Cancel(DELETED, ErrorClass.DELETED)
    requested = directly_to(delivery.event) is not None
    if not requested and row["state"] != EndpointState.ACTIVE:
        raise Cancel(f"The webhook endpoint is {row['state']}.", ErrorClass.NOT_LISTENING)
    try:
        body = body_of(delivery.event)
    except Invalid as too_large:
        # It is as large at every attempt.
        raise Cancel(too_large.message, ErrorClass.TOO_LARGE) from too_large
    # Last, since a probe keeps other messages out.
    breaker_until = row["open_until"] if requested else admit(db, row, now=delivery.now)
    return WebhookMessage(
        url=row["url"],
        webhook_id=delivery.event.id,
        body=body,
        headers=row["headers"],
        sealed_secrets=row["secrets"] or [],
        endpoint_id=row["id"],
        delivery_id=delivery.id,
        prepared_at=delivery.now,
        has_failures=row["failures"] > 0,
        breaker_until=breaker_until,
        is_probe=not requested and breaker_until is not None,
    )


def give_probe_back(db: Connection, message: WebhookMessage) -> None:
    """Let the next message probe: this one found no room among the senders."""
    if message.is_probe:
        end_probe(db, message.endpoint_id, until=message.breaker_until)


def settle_webhook(
    db: Connection,
    delivery: Delivery,
    message: WebhookMessage,
    sent: SendResult,
    *,
    policy: RetryPolicy = WEBHOOK_RETRY_POLICY,
) -> None:
    """Record the result at the endpoint; one that accepts a ping becomes active."""
    if sent.error is None:
        if isinstance(delivery.event, WebhookPinged):
            activate(db, message.endpoint_id, url=message.url)
        if message.has_failures:
            record_success(db, message.endpoint_id, url=message.url)
    elif sent.error_class is not ErrorClass.INTERNAL:
        # A defect of ours is no failure of the endpoint.
        exhausted = delivery.counted_attempt >= policy.attempts or sent.permanent
        record_failure(
            db,
            message.endpoint_id,
            sent,
            url=message.url,
            breaker_until=message.breaker_until,
            requested=directly_to(delivery.event) is not None,
            exhausted=exhausted,
            now=delivery.now,
        )


def hasten_first(db: Connection, message: WebhookMessage) -> None:
    """Hasten the first messages that were postponed for the endpoint; `maintain` hastens the rest."""
    hasten_postponed(db, message.endpoint_id)


def settles_webhook(delivery: Delivery, message: WebhookMessage) -> bool:
    return message.has_failures or isinstance(delivery.event, WebhookPinged)


def with_retry_schedule(
    effect: OutboundEffect[WebhookMessage], policy: OperatorPolicy
) -> OutboundEffect[WebhookMessage]:
    retries = RetryPolicy(policy.webhook_retry_schedule)
    return replace(effect, policy=retries, settle=partial(settle_webhook, policy=retries))


SEND_WEBHOOK = register_outbound(
    OutboundEffect(
        name="webhooks.send",
        queue="webhooks",
        transport="http",
        prepare=prepare_webhooks,
        settle=settle_webhook,
        settles=settles_webhook,
        give_back=give_probe_back,
        after_success=hasten_first,
        policy=WEBHOOK_RETRY_POLICY,
        apply_policy=with_retry_schedule,
    )
)
register_fan_out(FanOut(effect=SEND_WEBHOOK, rows=FAN_OUT_ROWS, directly_to=directly_to))


@subscribe(
    AvailabilityAnnouncementSet,
    name="webhooks.availability",
    queue="webhooks",
    due=lambda event: event.announce_at,
    alone=True,
)
def announce_availability(db: Connection, event: AvailabilityAnnouncementSet, *, now: datetime) -> None:
    """Announce what a mentor has changed since the last announcement, by the last of the changes."""
    announce_held_back(db, event.mentor_profile_id)
