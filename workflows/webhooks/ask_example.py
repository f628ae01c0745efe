"""Send an endpoint an example of a message, for whoever is just building the other side."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.errors import Invalid
from workflows.events.catalogue import WebhookExampleAsked, announced_types
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.webhooks.endpoint import Endpoint, keeper_of, listening
from workflows.webhooks.messages import body_of


def ask_example(
    db: Connection, *, actor: Actor, endpoint: Endpoint, event_type: str, now: datetime
) -> WebhookExampleAsked:
    """Record that an example was asked for; it is sent, signed and tried again like any other message.

    Args:
        event_type: which type of event the example is of.

    Raises:
        Forbidden: the endpoint is somebody else's.
        Invalid: there is no such type, or its message would be too large.
        Conflict: the endpoint is not active.
    """
    keeper_of(actor, endpoint)
    if event_type not in announced_types():
        raise Invalid(
            "There is no such event type; GET /event-types lists them.",
            details={"eventType": [f"unknown event type {event_type}"]},
        )
    listening(endpoint.state)
    asked = WebhookExampleAsked(
        actor=actor.name, occurred_at=now, webhook_endpoint_id=endpoint.id, example_type=event_type
    )
    # What could not be sent is refused here, where somebody hears of it.
    body_of(asked)
    record(db, asked)
    return asked
