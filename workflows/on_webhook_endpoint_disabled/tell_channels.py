"""Tell the operators, by channels of their own, that a webhook endpoint has been disabled."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import WebhookEndpointDisabled
from workflows.events.subscriptions import subscribe
from workflows.house_rules import USUAL, HouseRules
from workflows.notifications.notices import hear_of, tell_operators


@subscribe(
    WebhookEndpointDisabled,
    name="channels.webhook_endpoint_disabled",
    queue="notifications",
    ruled=True,
    wanted=hear_of(WebhookEndpointDisabled),
)
def tell_channels(db: Connection, event: WebhookEndpointDisabled, *, now: datetime, rules: HouseRules = USUAL) -> None:
    """Only where the operator has channels, and wants to hear of this."""
    tell_operators(db, event, rules=rules)
