"""Deliveries that leave the house, many at a time: a round trip for ten costs little more than one for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Uuid, text

from workflows.events.catalogue import event_types
from workflows.events.deliveries import FREE, READ, TOLD_RESPONSE, TYPES, cut, delivery_of, milliseconds
from workflows.events.delivery import Attempt, Delivery, Key

# What a newer process recorded is left to a newer worker, so that only known types are taken. A lease that a crash of
# the database undoes is taken again, so that nobody waits for the disk here.
_CLAIM = text(
    f"""
WITH free AS (
    SELECT d.event_id, d.effect, d.target
    FROM unnest(CAST(:event_ids AS uuid[]), CAST(:targets AS text[])) AS asked(event_id, target)
    JOIN deliveries d ON d.event_id = asked.event_id AND d.effect = :effect AND d.target = asked.target
    WHERE {FREE}
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d
SET attempts = d.attempts + 1, lease_until = now() + :duration, nudge_at = now() + :duration
FROM free, events e
WHERE d.event_id = free.event_id AND d.effect = free.effect AND d.target = free.target
  AND e.id = free.event_id AND e.type = ANY(:known)
RETURNING d.event_id, d.target, {READ}, set_config('synchronous_commit', 'off', true)
"""
).columns(event_id=Uuid(), **TYPES)

# Like the others, a row that somebody is looking at is left for the next time.
_RENEW = text(
    """
WITH ours AS (
    SELECT d.event_id, d.effect, d.target
    FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]), CAST(:fences AS int[])
    ) AS told(event_id, effect, target, fence)
    JOIN deliveries d ON d.event_id = told.event_id AND d.effect = told.effect AND d.target = told.target
    WHERE d.state = 'pending' AND d.attempts = told.fence AND d.lease_until IS NOT NULL
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d
SET lease_until = now() + :duration, nudge_at = now() + :duration
FROM ours
WHERE d.event_id = ours.event_id AND d.effect = ours.effect AND d.target = ours.target
"""
)

# Rows that somebody is looking at are left out rather than waited for: one of them would hold up all the others.
_DONE = text(
    """
WITH ours AS (
    SELECT told.*
    FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]),
        CAST(:fences AS int[]), CAST(:attempts AS int[]),
        CAST(:status_codes AS int[]), CAST(:responses AS text[]), CAST(:durations AS int[])
    ) AS told(event_id, effect, target, fence, attempt, status_code, response, duration_ms)
    JOIN deliveries d ON d.event_id = told.event_id AND d.effect = told.effect AND d.target = told.target
    WHERE d.state = 'pending' AND d.attempts = told.fence
    FOR UPDATE OF d SKIP LOCKED
), ended AS (
    UPDATE deliveries d
    SET state = 'done', done_at = now(), attempts = ours.attempt, lease_until = NULL, last_error = NULL
    FROM ours
    WHERE d.event_id = ours.event_id AND d.effect = ours.effect AND d.target = ours.target
    RETURNING ours.*
)
INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, status_code, response, duration_ms)
SELECT event_id, effect, target, attempt, 'done', status_code, response, duration_ms FROM ended
RETURNING event_id, effect, target
"""
).columns(event_id=Uuid())


@dataclass(frozen=True, kw_only=True)
class Success:
    """A delivery whose message was taken, and what its attempt came to."""

    delivery: Delivery
    attempt: Attempt


def claim_leased(db: Connection, effect: str, keys: Sequence[Key], duration: timedelta) -> list[Delivery]:
    """Take those of an effect's deliveries that nobody has, and lease them, in the order in which they were asked for.

    Args:
        duration: of the lease; the attempt in hand is counted with it.
    """
    known = event_types()
    asked = {
        "effect": effect,
        "event_ids": [key.event_id for key in keys],
        "targets": [key.target for key in keys],
        "duration": duration,
        "known": list(known),
    }
    taken: dict[Key, Delivery] = {}
    for row in db.execute(_CLAIM, asked):
        key = Key(event_id=row.event_id, effect=effect, target=row.target)
        delivery = delivery_of(key, row, known)
        if delivery is not None:
            # The row holds the attempt in hand already.
            taken[key] = replace(delivery, attempt=delivery.fence)
    return [taken.pop(key) for key in keys if key in taken]


def renew(db: Connection, leased: Sequence[Delivery], duration: timedelta) -> None:
    """Lease those that are still ours for so long from now on, in one statement that waits for nobody."""
    db.execute(_RENEW, _named(leased) | {"duration": duration})


def done(db: Connection, successes: Sequence[Success]) -> set[Key]:
    """Mark them done and keep their attempts, in one statement that waits for nobody.

    Returns:
        Those that were written; of the others somebody else holds the row at the moment, or has it for good.
    """
    told = _named([each.delivery for each in successes]) | {
        "attempts": [each.delivery.attempt for each in successes],
        "status_codes": [each.attempt.status_code for each in successes],
        "responses": [cut(each.attempt.response, TOLD_RESPONSE) for each in successes],
        "durations": [milliseconds(each.attempt.took) for each in successes],
    }
    return {Key(event_id=row.event_id, effect=row.effect, target=row.target) for row in db.execute(_DONE, told)}


def _named(leased: Sequence[Delivery]) -> dict[str, Any]:
    return {
        "event_ids": [each.key.event_id for each in leased],
        "effects": [each.key.effect for each in leased],
        "targets": [each.key.target for each in leased],
        "fences": [each.fence for each in leased],
    }
