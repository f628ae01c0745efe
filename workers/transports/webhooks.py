"""The transport of the queue `webhooks`, with its protection and its senders."""

from __future__ import annotations

from config.sealing import Sealer
from config.settings import Settings
from workers.outbound import Route, SenderPool
from workers.transports.http import WebhookTransport
from workers.transports.protection import Protected, Shares


def routes(chosen: Settings) -> dict[str, Route]:
    """By the names that effects know. An endpoint's row is its circuit breaker."""
    # A quarter is kept in reserve; Celery's threads are as many as the others, and only wait for them.
    senders = chosen.webhook_threads + chosen.webhook_threads // 3
    transport = WebhookTransport(Sealer(chosen.encryption_keys), chosen.webhook_allowed_networks)
    protected = Protected(transport, Shares.of(senders), destination=lambda message: message.endpoint_id)
    return {"http": Route(protected, SenderPool(senders))}
