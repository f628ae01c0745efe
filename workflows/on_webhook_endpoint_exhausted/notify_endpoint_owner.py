"""Tell the owner that a message could not be delivered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import WebhookEndpointExhausted
from workflows.events.subscriptions import subscribe
from workflows.notifications.owners import notify_owner


@subscribe(WebhookEndpointExhausted, name="notifications.webhook_endpoint_exhausted", queue="notifications")
def notify_endpoint_owner(db: Connection, event: WebhookEndpointExhausted, *, now: datetime) -> None:
    """A mentor in the application and by mail, the operators by mail."""
    notify_owner(db, event)
