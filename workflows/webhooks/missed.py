"""What endpoints miss while they are not listening: kept as cancelled at once, so that it can be recovered."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from models.webhooks import EndpointState
from workflows.events.catalogue import smallest_event_id

# As far back as it can be recovered, whoever recovers it.
LOOK_BACK = timedelta(days=14)
# For whoever is just recovering the oldest.
GRACE = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 1_000

# Those alone that were never in a worker's hands: attempts are kept. Nobody is waited for.
FORGET = """
WITH old AS MATERIALIZED (
    SELECT event_id, effect, target FROM deliveries
    WHERE cancel_reason = 'not_listening' AND attempts = 0 AND event_id < :before
    ORDER BY event_id
    LIMIT :most
    FOR UPDATE SKIP LOCKED
)
DELETE FROM deliveries d USING old
WHERE d.event_id = old.event_id AND d.effect = old.effect AND d.target = old.target
"""


def why_it_is_told_nothing(state: EndpointState) -> str:
    """The reason as the endpoint's owner reads it."""
    return f"The webhook endpoint is {state}."


def forget_missed(db: Connection, *, now: datetime) -> bool:
    """Let a batch of it go that is too old to be recovered, the oldest first; returns whether the batch was full."""
    before = smallest_event_id(now - LOOK_BACK - GRACE)
    return db.execute(text(FORGET), {"before": before, "most": FORGOTTEN_AT_ONCE}).rowcount == FORGOTTEN_AT_ONCE
