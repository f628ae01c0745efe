"""Ping a webhook endpoint: a signed message that asks whether it listens; the first 2xx makes it active."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, true, update

from models.webhooks import EndpointState, webhook_endpoints
from workflows.events.catalogue import WebhookPinged
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.webhooks.endpoint import Endpoint, keeper_of

# What an endpoint begins anew with: no failures counted, the circuit breaker closed, its owner warned of nothing.
NOTHING_AGAINST_IT: dict[str, Any] = {
    "failures": 0,
    "failing_since": None,
    "open_until": None,
    "warned_at": None,
    "exhausted_at": None,
}


def ping_endpoint(db: Connection, *, actor: Actor, endpoint: Endpoint, now: datetime) -> WebhookPinged:
    """Record the ping; it is sent, and tried again, like any other message.

    Raises:
        Forbidden: the endpoint is somebody else's.
    """
    keeper_of(actor, endpoint)
    ping = WebhookPinged(actor=actor.name, occurred_at=now, webhook_endpoint_id=endpoint.id)
    record(db, ping)
    return ping


def activate(db: Connection, endpoint_id: UUID, *, url: str | None = None) -> None:
    """The endpoint has answered a ping: from now on it hears of events. A pause by hand outlives a ping.

    Args:
        url: where the ping was answered; when the endpoint has moved since, nobody has answered at its new address.
    """
    endpoints = webhook_endpoints.c
    there = endpoints.url == url if url is not None else true()
    db.execute(
        update(webhook_endpoints)
        .where(
            endpoints.id == endpoint_id,
            endpoints.state.in_([EndpointState.PENDING, EndpointState.DISABLED]),
            there,
        )
        .values(state=EndpointState.ACTIVE, disabled_reason=None)
    )
