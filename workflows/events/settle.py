"""Write the outcomes of deliveries, each `WHERE state = 'pending' AND attempts = <fence>`.

A worker that lost its lease changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Uuid

from models.base import sql
from models.events import CANCEL_REASONS, DeliveryState
from models.prepared import PreparedStatement
from workflows.events.delivery import Attempt, Delivery, DeliveryKey
from workflows.events.rows import (
    KEY_TYPES,
    MAX_ERROR_CHARACTERS,
    PENDING,
    SAME_KEY,
    cut,
    fenced_keys_as_arrays,
    keys_of,
    text_array,
)

MAX_RESPONSE_CHARACTERS = 4_096

_DONE = PreparedStatement(
    sql(f"""
UPDATE deliveries d
SET state = 'done', done_at = now(), attempts = given.attempt, lease_until = NULL, last_error = NULL
FROM unnest(
    CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]),
    CAST(:fences AS int[]), CAST(:attempts AS int[])
) AS given(event_id, effect, target, fence, attempt)
WHERE {SAME_KEY.format("given")} AND {PENDING} AND d.attempts = given.fence
RETURNING d.event_id
""").columns(event_id=Uuid())
)

# An outcome and its attempt, in one statement; the attempt that succeeds is kept in the delivery's own row. Without
# `:after` the row is not due again.
_OUTCOME = sql(f"""
WITH ours AS (
    UPDATE deliveries d
    SET attempts = :attempt, lease_until = NULL, state = CAST(:state AS delivery_state),
        done_at = CASE WHEN CAST(:state AS text) = 'done' THEN now() END,
        last_error = CAST(:error AS text), cancel_reason = CAST(:cancel_reason AS text),
        status_code = CASE WHEN CAST(:state AS text) = 'done' THEN CAST(:status_code AS int) END,
        response = CASE WHEN CAST(:state AS text) = 'done' THEN CAST(:response AS text) END,
        duration_ms = CASE WHEN CAST(:state AS text) = 'done' THEN CAST(:duration_ms AS int) END,
        due_at = coalesce(now() + CAST(:after AS interval), d.due_at),
        nudge_at = coalesce(now() + CAST(:after AS interval), d.nudge_at)
    WHERE d.event_id = :event_id AND d.effect = :effect AND d.target = :target
      AND {PENDING} AND d.attempts = :fence
    RETURNING d.event_id, d.effect, d.target
), attempt AS (
    INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, error, error_class, status_code,
                                   response, duration_ms)
    SELECT event_id, effect, target, :attempt, :outcome, CAST(:error AS text), CAST(:error_class AS text),
           CAST(:status_code AS int), CAST(:response AS text), CAST(:duration_ms AS int)
    FROM ours WHERE CAST(:state AS text) <> 'done'
)
SELECT event_id FROM ours
""")
_POSTPONE = sql(f"""
UPDATE deliveries d
SET attempts = :attempts, forgiven = CASE WHEN :forgives THEN :attempts ELSE least(d.forgiven, :attempts) END,
    lease_until = NULL, due_at = later.at, nudge_at = later.at, put_off_until = later.at,
    last_error = CASE WHEN :forgives THEN NULL ELSE coalesce(CAST(:error AS text), d.last_error) END
FROM (SELECT coalesce(CAST(:until AS timestamptz), clock_timestamp() + CAST(:pause AS interval)) AS at) AS later
WHERE d.event_id = :event_id AND d.effect = :effect AND d.target = :target AND {PENDING} AND d.attempts = :fence
RETURNING d.due_at
""")

# Locked rows are left out rather than waited for: one of them would hold up all the others.
_DONE_OUTBOUND = PreparedStatement(
    sql(f"""
WITH ours AS (
    SELECT given.*, d.ctid AS place
    FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]),
        CAST(:fences AS int[]), CAST(:attempts AS int[]),
        CAST(:status_codes AS int[]), CAST(:responses AS text[]), CAST(:durations AS int[])
    ) AS given(event_id, effect, target, fence, attempt, status_code, response, duration_ms)
    JOIN deliveries d ON {SAME_KEY.format("given")}
    WHERE {PENDING} AND d.attempts = given.fence
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d
SET state = 'done', done_at = now(), attempts = ours.attempt, lease_until = NULL, last_error = NULL,
    status_code = ours.status_code, response = ours.response, duration_ms = ours.duration_ms
FROM ours WHERE d.ctid = ours.place
RETURNING d.event_id, d.effect, d.target
""").columns(**KEY_TYPES)
)


def mark_done(db: Connection, deliveries: Sequence[Delivery]) -> int:
    """Mark them done, with whatever they did in this transaction; returns how many were still ours."""
    attempts = text_array(delivery.attempt for delivery in deliveries)
    return len(_DONE.all(db, {**fenced_keys_as_arrays(deliveries), "attempts": attempts}))


def settle(db: Connection, delivery: Delivery, attempt: Attempt, *, after: timedelta | None = None) -> bool:
    """Write an attempt and its outcome: done, dead or cancelled, or `retry` after a pause.

    False when the row is no longer ours.
    """
    cancelled = attempt.outcome == DeliveryState.CANCELLED and attempt.error_class in CANCEL_REASONS
    values = {
        **vars(delivery.key),
        "attempt": delivery.attempt,
        "fence": delivery.fence,
        "state": DeliveryState.PENDING if attempt.outcome == "retry" else attempt.outcome,
        "after": after,
        "cancel_reason": attempt.error_class if cancelled else None,
        "outcome": attempt.outcome,
        "error": cut(attempt.error, MAX_ERROR_CHARACTERS),
        "error_class": attempt.error_class,
        "status_code": attempt.status_code,
        "response": cut(attempt.response, MAX_RESPONSE_CHARACTERS),
        "duration_ms": _milliseconds(attempt),
    }
    return db.execute(_OUTCOME, values).first() is not None


def postpone(
    db: Connection,
    delivery: Delivery,
    until: datetime | timedelta,
    *,
    reason: str | None = None,
    forgives: bool = False,
) -> datetime | None:
    """Leave it pending until then, as if it had never been taken: no attempt was made.

    Args:
        until: by the database's clock; or for how long from now on.
        reason: kept as its last error; None keeps the one that it has.
        forgives: whether earlier attempts no longer count, and their last error is forgotten.
    """
    times = {"until": None, "pause": until} if isinstance(until, timedelta) else {"until": until, "pause": None}
    counted = {"fence": delivery.fence, "attempts": delivery.attempt - 1, "forgives": forgives}
    values = {**vars(delivery.key), **counted, "error": cut(reason, MAX_ERROR_CHARACTERS), **times}
    due_at: datetime | None = db.execute(_POSTPONE, values).scalar_one_or_none()
    return due_at


def done_outbound(db: Connection, successes: Sequence[tuple[Delivery, Attempt]]) -> set[DeliveryKey]:
    """Mark them done and keep their attempts, in one statement that waits for no lock.

    Returns those that were written; the others are locked at the moment, or no longer ours.
    """
    attempts = [attempt for _delivery, attempt in successes]
    values = fenced_keys_as_arrays([delivery for delivery, _attempt in successes]) | {
        "attempts": text_array(delivery.attempt for delivery, _attempt in successes),
        "status_codes": text_array(attempt.status_code for attempt in attempts),
        "responses": text_array(cut(attempt.response, MAX_RESPONSE_CHARACTERS) for attempt in attempts),
        "durations": text_array(map(_milliseconds, attempts)),
    }
    return keys_of(_DONE_OUTBOUND.all(db, values))


def _milliseconds(attempt: Attempt) -> int:
    return int(attempt.took.total_seconds() * 1000)
