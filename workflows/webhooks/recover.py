"""Recover what an endpoint missed while it was out of order: its dead deliveries, sent again in their order."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from workflows.errors import Invalid
from workflows.identity.actor import Actor
from workflows.webhooks.endpoint import Endpoint, keeper_of, listening

LOOK_BACK = timedelta(days=14)
MOST = 10_000
PER_SECOND = 25

# The ids are UUIDv7: those bounds alone keep the index scan short, with a minute to spare for clocks that differ.
_RECOVER = text(
    """
WITH dead AS MATERIALIZED (
    SELECT d.event_id, d.target
    FROM deliveries d JOIN events e ON e.id = d.event_id
    WHERE d.effect = 'webhooks.send' AND split_part(d.target, ':', 1) = :endpoint AND d.state = 'dead'
      AND d.event_id BETWEEN :first AND :last AND e.occurred_at >= :since AND e.occurred_at < :until
      AND e.type NOT IN ('webhook.ping', 'webhook.example')
    ORDER BY d.event_id, d.target
    LIMIT :most
    FOR NO KEY UPDATE OF d SKIP LOCKED
), paced AS (
    SELECT event_id, target,
           now() + (row_number() OVER (ORDER BY event_id, target) - 1) * interval '1 second' / :per_second AS due_at
    FROM dead
)
UPDATE deliveries d
SET state = 'pending', forgiven = d.attempts, due_at = paced.due_at, nudge_at = paced.due_at, nudges = 0,
    lease_until = NULL
FROM paced
WHERE d.event_id = paced.event_id AND d.effect = 'webhooks.send' AND d.target = paced.target
"""
)


def recover(
    db: Connection, *, actor: Actor, endpoint: Endpoint, since: datetime, now: datetime, until: datetime | None = None
) -> int:
    """Give every dead delivery of that time all its attempts again, and return how many there were.

    Args:
        since: the earliest event, at most 14 days back.
        until: the first event that is left alone; None for now.

    Raises:
        Forbidden: the endpoint is somebody else's.
        Conflict: the endpoint is not active.
        Invalid: a time too long ago, yet to come, or that ends before it begins.
    """
    keeper_of(actor, endpoint)
    _check(since, until or now, now)
    listening(endpoint)
    values = {
        "endpoint": str(endpoint.id),
        "since": since,
        "until": until or now,
        "first": _smallest_id_of(since - timedelta(minutes=1)),
        "last": _smallest_id_of((until or now) + timedelta(minutes=1)),
        "most": MOST,
        "per_second": PER_SECOND,
    }
    return db.execute(_RECOVER, values).rowcount


def _check(since: datetime, until: datetime, now: datetime) -> None:
    if since < now - LOOK_BACK:
        raise _invalid("since", f"Must be at most {LOOK_BACK.days} days ago.")
    if since > now:
        raise _invalid("since", "Must not be in the future.")
    if until <= since and until != now:
        raise _invalid("until", "Must be after since.")


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid("There is nothing to recover in that time.", details={field: [reason]})


def _smallest_id_of(moment: datetime) -> UUID:
    """A bound below every UUIDv7 made from then on."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
