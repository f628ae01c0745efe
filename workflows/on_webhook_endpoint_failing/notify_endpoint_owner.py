"""Tell the owner that their endpoint will be disabled, in two days at the earliest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import WebhookEndpointFailing
from workflows.events.subscriptions import subscribe
from workflows.notifications.owners import notify_owner


@subscribe(WebhookEndpointFailing, name="notifications.webhook_endpoint_failing", queue="notifications")
def notify_endpoint_owner(db: Connection, event: WebhookEndpointFailing, *, now: datetime) -> None:
    """A mentor in the application and by mail, the operators by mail."""
    notify_owner(db, event)
