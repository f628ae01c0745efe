"""Announce what happened to every webhook endpoint that wants to hear of it: one delivery each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import Event
from workflows.events.record import fan_out
from workflows.events.subscriptions import FanOut, subscribe
from workflows.events.subscriptions import fan_out as fan_out_by
from workflows.outside.send_webhook import SEND_WEBHOOK
from workflows.webhooks.deliveries import FAN_OUT_ROWS, directly_to

fan_out_by(FanOut(effect=SEND_WEBHOOK, rows=FAN_OUT_ROWS, directly_to=directly_to))


@subscribe(Event, name="webhooks.queue", queue="webhooks", retired=True)
def queue_webhooks(db: Connection, event: Event, *, now: datetime) -> None:
    """Run what processes of the release before have written: from now on the event's own statement does this."""
    fan_out(db, event)
