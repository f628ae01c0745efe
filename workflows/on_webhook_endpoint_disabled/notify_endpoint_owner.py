"""Tell the owner that their endpoint is told nothing any more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import WebhookEndpointDisabled
from workflows.events.subscriptions import subscribe
from workflows.notifications.owners import notify_owner


@subscribe(WebhookEndpointDisabled, name="notifications.webhook_endpoint_disabled", queue="notifications")
def notify_endpoint_owner(db: Connection, event: WebhookEndpointDisabled, *, now: datetime) -> None:
    """A mentor in the application and by mail, the operators by mail."""
    notify_owner(db, event)
