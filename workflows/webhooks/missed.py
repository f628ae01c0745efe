"""What endpoints miss while they are not listening: kept as cancelled at once, so that it can be recovered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from models.events import delivery_id_of
from models.webhooks import EndpointState
from workflows.events.bounds import smallest_id_of
from workflows.events.event import Event
from workflows.events.subscriptions import AnyOutboundEffect

# As far back as it can be recovered, whoever recovers it.
LOOK_BACK = timedelta(days=14)
# For whoever is just recovering the oldest.
GRACE = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 1_000

# Neither a nudge nor a worker is needed for what is not to be sent.
_KEEP = text(
    """
INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at, state, last_error, cancel_reason)
SELECT :event_id, :effect, missed.target, missed.id, :queue, now(), now(), 'cancelled', missed.why, 'not_listening'
FROM unnest(CAST(:targets AS text[]), CAST(:ids AS uuid[]), CAST(:whys AS text[])) AS missed(target, id, why)
ON CONFLICT DO NOTHING
"""
)

# Those alone that were never in a worker's hands: attempts are kept. Nobody is waited for.
FORGET = """
DELETE FROM deliveries d
USING (
    SELECT event_id, effect, target FROM deliveries
    WHERE cancel_reason = 'not_listening' AND attempts = 0 AND event_id < :before
    ORDER BY event_id
    LIMIT :most
    FOR UPDATE SKIP LOCKED
) AS old
WHERE d.event_id = old.event_id AND d.effect = old.effect AND d.target = old.target
"""


def why_it_is_told_nothing(state: EndpointState) -> str:
    """The reason as the endpoint's owner reads it."""
    return f"The webhook endpoint is {state}."


def keep_missed(
    db: Connection, event: Event, effect: AnyOutboundEffect, endpoints: Mapping[UUID, EndpointState]
) -> None:
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


def forget_missed(db: Connection, *, now: datetime) -> bool:
    """Let a batch of it go that is too old to be recovered, the oldest first; returns whether the batch was full."""
    before = smallest_id_of(now - LOOK_BACK - GRACE)
    return db.execute(text(FORGET), {"before": before, "most": FORGOTTEN_AT_ONCE}).rowcount == FORGOTTEN_AT_ONCE
