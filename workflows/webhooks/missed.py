"""What endpoints miss while they are not listening: kept as cancelled at once, so that it can be recovered."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, text

from models.events import delivery_id_of
from models.webhooks import EndpointState
from workflows.events.event import Event
from workflows.events.subscriptions import OutsideEffect

# Neither a nudge nor a worker is needed for what is not to be sent.
_KEEP = text(
    """
INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at, state, last_error, cancel_reason)
SELECT :event_id, :effect, missed.target, missed.id, :queue, now(), now(), 'cancelled', missed.why, 'not_listening'
FROM unnest(CAST(:targets AS text[]), CAST(:ids AS uuid[]), CAST(:whys AS text[])) AS missed(target, id, why)
ON CONFLICT DO NOTHING
"""
)


def why_it_is_told_nothing(state: EndpointState) -> str:
    """The reason as the endpoint's owner reads it."""
    return f"The webhook endpoint is {state}."


def keep_missed(db: Connection, event: Event, effect: OutsideEffect, endpoints: Mapping[UUID, EndpointState]) -> None:
    """Note that these endpoints were not told of an event, and why.

    Args:
        endpoints: those that asked for it and are not active, with the state that they are in.
    """
    if not endpoints:
        return
    targets = [str(endpoint_id) for endpoint_id in endpoints]
    db.execute(
        _KEEP,
        {
            "event_id": event.id,
            "effect": effect.name,
            "queue": effect.queue,
            "targets": targets,
            "ids": [delivery_id_of(event.id, effect.name, target) for target in targets],
            "whys": [why_it_is_told_nothing(state) for state in endpoints.values()],
        },
    )
