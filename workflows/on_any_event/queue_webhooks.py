"""Announce what happened to every webhook endpoint that wants to hear of it: one delivery each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.webhooks import EndpointState
from workflows.events.event import Event
from workflows.events.record import follow_up
from workflows.events.subscriptions import subscribe
from workflows.outside.send_webhook import SEND_WEBHOOK
from workflows.webhooks.endpoint import listeners
from workflows.webhooks.missed import keep_missed


@subscribe(Event, name="webhooks.queue", queue="webhooks")
def queue_webhooks(db: Connection, event: Event, *, now: datetime) -> None:
    """From here on, one endpoint's trouble is its own. What one misses while it is not active can be recovered."""
    asking = listeners(db, event)
    missing = {endpoint_id: state for endpoint_id, state in asking.items() if state is not EndpointState.ACTIVE}
    follow_up(db, event, SEND_WEBHOOK, [str(endpoint_id) for endpoint_id in asking if endpoint_id not in missing])
    keep_missed(db, event, SEND_WEBHOOK, missing)
