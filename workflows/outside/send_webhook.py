"""Send one webhook endpoint the message of one event, as Standard Webhooks describes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from models.webhooks import EndpointState
from workflows.events.catalogue import Event, WebhookPinged
from workflows.events.delivery import Delivery
from workflows.events.outcomes import Cancel, Sent
from workflows.events.policy import WEBHOOKS
from workflows.events.subscriptions import OutsideEffect, send_outside
from workflows.webhooks.endpoint import Endpoint, endpoint_query, sealed_secrets
from workflows.webhooks.ping_endpoint import activate


@dataclass(frozen=True, kw_only=True)
class WebhookMessage:
    """One message to one endpoint. The transport unseals the secrets and signs `webhook_id.timestamp.body`.

    `webhook_id` is the event's id, the same on every attempt and for every endpoint.
    """

    url: str
    webhook_id: UUID
    body: bytes
    headers: dict[str, str]
    sealed_secrets: list[str]


def prepare(db: Connection, delivery: Delivery) -> WebhookMessage:
    """Read where the message goes, and put it into words.

    Raises:
        Cancel: the endpoint is gone, or listens no more.
    """
    row = db.execute(endpoint_query(UUID(delivery.target))).one_or_none()
    if row is None:
        raise Cancel("The webhook endpoint has been deleted.")
    endpoint = Endpoint.of(row)
    if endpoint.state is not EndpointState.ACTIVE and not isinstance(delivery.event, WebhookPinged):
        raise Cancel(f"The webhook endpoint is {endpoint.state}.")
    return WebhookMessage(
        url=endpoint.url,
        webhook_id=delivery.event.id,
        body=body_of(delivery.event),
        headers=endpoint.headers,
        sealed_secrets=sealed_secrets(db, endpoint.id),
    )


def settle(db: Connection, delivery: Delivery, sent: Sent) -> None:
    """An endpoint that took a ping is active from then on."""
    if sent.error is None and isinstance(delivery.event, WebhookPinged):
        activate(db, UUID(delivery.target))


def body_of(event: Event) -> bytes:
    """The message of an event: what happened to which ids when, with no names, addresses or notes."""
    message = {
        "id": str(event.id),
        "type": event.type,
        "timestamp": _utc(event.occurred_at),
        "sequence": event.sequence,
        "data": {_camel(name): value for name, value in _told(event).items()},
    }
    return json.dumps(message, separators=(",", ":")).encode()


def _told(event: Event) -> dict[str, Any]:
    told = {name: getattr(event, name) for name in event.data()}
    return {
        name: _utc(value) if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
        for name, value in told.items()
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


SEND_WEBHOOK = send_outside(
    OutsideEffect(
        name="webhooks.send", queue="webhooks", transport="http", prepare=prepare, settle=settle, policy=WEBHOOKS
    )
)
