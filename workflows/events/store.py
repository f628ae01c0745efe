"""Every statement by which deliveries are claimed, leased, settled and swept.

Every outcome is written `WHERE state = 'pending' AND attempts = <fence>`: a worker that lost its lease changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import BigInteger, Connection, Interval, Row, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from models.base import Timestamp
from models.events import CANCEL_REASONS, DeliveryState
from workflows.events.catalogue import Event, event_types
from workflows.events.delivery import Attempt, Delivery, DeliveryKey
from workflows.events.record import Nudge

log = structlog.get_logger(__name__)

MAX_ERROR_CHARACTERS = 2_000
MAX_RESPONSE_CHARACTERS = 4_096
SWEEP_PAGE = 500
MAX_COUNTED_DUE = 100_000
MAX_COUNTED_DEAD = 10_000

_KEYS = "unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]))"
_FENCED_KEYS = (
    "unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]), CAST(:fences AS int[]))"
    " AS told(event_id, effect, target, fence)"
)
_SAME_KEY = "d.event_id = {0}.event_id AND d.effect = {0}.effect AND d.target = {0}.target"
# Rows that are named are found by their primary key. The planner must not know that the partial indexes over what is
# pending would do: a plan made while nothing was pending would read a whole backlog for each name.
_PENDING = "CAST(d.state AS text) = 'pending'"
_FREE = f"{_PENDING} AND d.due_at <= now() AND (d.lease_until IS NULL OR d.lease_until <= now())"
_ROW = (
    "d.event_id, d.effect, d.target, d.id, d.endpoint_id, d.nudges, d.attempts, d.forgiven, d.lease_until,"
    " now() - d.due_at AS late"
)
_EVENT = "e.type, e.actor, e.sequence, e.data, e.occurred_at, now() AS now"
_TYPES: dict[str, TypeEngine[Any]] = {
    "event_id": Uuid(),
    "id": Uuid(),
    "endpoint_id": Uuid(),
    "sequence": BigInteger(),
    "data": JSONB(),
    "occurred_at": Timestamp,
    "now": Timestamp,
}

# Many effects share this transaction: none may hold up the others for long.
_BATCH_TIMEOUTS = "set_config('lock_timeout', '100ms', true), set_config('statement_timeout', '1s', true)"

# The locking queries return the newest version of each row; the events never change. Of the rows beyond the named
# ones, those of each effect are read by an index of their own (`ix_deliveries_effect_due_at`), in the order of
# `:shared`: a backlog of mails in the same queue is not even looked at. A lease that ran out is taken by name alone.
_CLAIM = """
WITH named AS MATERIALIZED (
    SELECT {row}, true AS named
    FROM {keys} AS asked(event_id, effect, target) JOIN deliveries d ON {same}
    WHERE {free}
    LIMIT :most
    FOR UPDATE OF d SKIP LOCKED
){others}
SELECT claimed.*, {event}{timeouts}
FROM {claimed} AS claimed JOIN events e ON e.id = claimed.event_id
"""
_OTHERS = f""", others AS MATERIALIZED (
    SELECT due.* FROM unnest(CAST(:shared AS text[])) AS shared(effect)
    CROSS JOIN LATERAL (
        SELECT {_ROW}, false AS named FROM deliveries d JOIN events e ON e.id = d.event_id
        WHERE d.effect = shared.effect AND d.state = 'pending' AND d.lease_until IS NULL AND d.due_at <= now()
          AND e.type = ANY(:known) AND NOT EXISTS (SELECT FROM named WHERE {_SAME_KEY.format("named")})
        ORDER BY d.due_at
        LIMIT :most
        FOR UPDATE OF d SKIP LOCKED
    ) AS due
    LIMIT :most - (SELECT count(*) FROM named)
)"""
_CLAIM_PARTS = {"row": _ROW, "keys": _KEYS, "same": _SAME_KEY.format("asked"), "free": _FREE, "event": _EVENT}
_CLAIM_BATCH = text(
    _CLAIM.format(
        **_CLAIM_PARTS,
        others=_OTHERS,
        timeouts=f", {_BATCH_TIMEOUTS}",
        claimed="(SELECT * FROM named UNION ALL SELECT * FROM others)",
    )
).columns(**_TYPES)
_CLAIM_NAMED = text(_CLAIM.format(**_CLAIM_PARTS, others="", timeouts="", claimed="named")).columns(**_TYPES)

_LEASE = text(
    f"""
UPDATE deliveries d
SET attempts = d.attempts + 1, lease_until = now() + :duration, nudge_at = now() + :duration
FROM {_FENCED_KEYS} WHERE {_SAME_KEY.format("told")} AND {_PENDING} AND d.attempts = told.fence
"""
)

# Waits for the rows: a late copy of the message locks them for a moment, too, just to find them leased.
_HOLD = f"""
SELECT d.event_id, d.effect, d.target{{timeouts}} FROM {_FENCED_KEYS} JOIN deliveries d ON {_SAME_KEY.format("told")}
WHERE {_PENDING} AND d.attempts = told.fence
FOR UPDATE OF d
"""
_HOLD_BATCH = text(_HOLD.format(timeouts=f", {_BATCH_TIMEOUTS}")).columns(event_id=Uuid())
_HOLD_NAMED = text(_HOLD.format(timeouts="")).columns(event_id=Uuid())

_DONE = text(
    f"""
UPDATE deliveries d
SET state = 'done', done_at = now(), attempts = told.attempt, lease_until = NULL, last_error = NULL
FROM unnest(
    CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]),
    CAST(:fences AS int[]), CAST(:attempts AS int[])
) AS told(event_id, effect, target, fence, attempt)
WHERE {_SAME_KEY.format("told")} AND {_PENDING} AND d.attempts = told.fence
"""
)

_OUTCOME = f"""
WITH ours AS (
    UPDATE deliveries d SET attempts = :attempt, lease_until = NULL, {{values}}
    WHERE d.event_id = :event_id AND d.effect = :effect AND d.target = :target
      AND {_PENDING} AND d.attempts = :fence
    RETURNING d.event_id, d.effect, d.target
)
"""
_WITH_ATTEMPT = """
INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, error, error_class, status_code, response,
                               duration_ms)
SELECT event_id, effect, target, :attempt, :outcome, CAST(:error AS text), CAST(:error_class AS text),
       CAST(:status_code AS int), CAST(:response AS text), :duration_ms
FROM ours RETURNING 1
"""
_ERROR = "last_error = CAST(:error AS text)"
_DONE_WITH_ATTEMPT = text(_OUTCOME.format(values="state = 'done', done_at = now(), last_error = NULL") + _WITH_ATTEMPT)
_RETRY = text(_OUTCOME.format(values=f"due_at = now() + :after, nudge_at = now() + :after, {_ERROR}") + _WITH_ATTEMPT)
_END = text(
    _OUTCOME.format(
        values=f"state = CAST(:state AS delivery_state), {_ERROR}, cancel_reason = CAST(:cancel_reason AS text)"
    )
    + _WITH_ATTEMPT
)
_POSTPONE = text(
    _OUTCOME.format(
        values="due_at = :until, nudge_at = :until, put_off_until = :until,"
        " last_error = coalesce(CAST(:error AS text), d.last_error)"
    )
    + "SELECT 1 FROM ours"
)

# What a newer process recorded is left to a newer worker, so that only known types are taken. A lease that a crash of
# the database undoes is taken again, so that its commit is not waited for on disk.
_NAMED = f"""
    SELECT d.event_id, d.effect, d.target
    FROM unnest(CAST(:event_ids AS uuid[]), CAST(:targets AS text[])) AS asked(event_id, target)
    JOIN deliveries d ON d.event_id = asked.event_id AND d.effect = :effect AND d.target = asked.target
    WHERE {_FREE}
    FOR UPDATE OF d SKIP LOCKED
"""
_CLAIM_LEASED = f"""
WITH free AS ({{free}})
UPDATE deliveries d
SET attempts = d.attempts + 1, lease_until = now() + :duration, nudge_at = now() + :duration
FROM free, events e
WHERE {_SAME_KEY.format("free")} AND e.id = free.event_id AND e.type = ANY(:known)
RETURNING {_ROW}, {_EVENT}, set_config('synchronous_commit', 'off', true)
"""
_LEASE_NAMED = text(_CLAIM_LEASED.format(free=_NAMED)).columns(**_TYPES)
# A lease that ran out is taken by name alone, as above.
_LEASE_OTHERS = text(
    _CLAIM_LEASED.format(
        free=f"""SELECT * FROM ({_NAMED}) AS named UNION ALL SELECT * FROM (
    SELECT d.event_id, d.effect, d.target
    FROM deliveries d
    WHERE d.effect = :effect AND d.state = 'pending' AND d.lease_until IS NULL AND d.due_at <= now()
      AND (d.event_id, d.target) NOT IN (SELECT * FROM unnest(CAST(:event_ids AS uuid[]), CAST(:targets AS text[])))
    ORDER BY d.due_at
    LIMIT :others
    FOR UPDATE OF d SKIP LOCKED
) AS others"""
    )
).columns(**_TYPES)

# Like the others, a row that is locked at the moment is left for the next time.
_RENEW = text(
    f"""
WITH ours AS (
    SELECT d.event_id, d.effect, d.target FROM {_FENCED_KEYS} JOIN deliveries d ON {_SAME_KEY.format("told")}
    WHERE {_PENDING} AND d.attempts = told.fence AND d.lease_until IS NOT NULL
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d SET lease_until = now() + :duration, nudge_at = now() + :duration
FROM ours WHERE {_SAME_KEY.format("ours")}
"""
)

# Locked rows are left out rather than waited for: one of them would hold up all the others.
_DONE_OUTBOUND = text(
    f"""
WITH ours AS (
    SELECT told.*
    FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]),
        CAST(:fences AS int[]), CAST(:attempts AS int[]),
        CAST(:status_codes AS int[]), CAST(:responses AS text[]), CAST(:durations AS int[])
    ) AS told(event_id, effect, target, fence, attempt, status_code, response, duration_ms)
    JOIN deliveries d ON {_SAME_KEY.format("told")}
    WHERE {_PENDING} AND d.attempts = told.fence
    FOR UPDATE OF d SKIP LOCKED
), ended AS (
    UPDATE deliveries d
    SET state = 'done', done_at = now(), attempts = ours.attempt, lease_until = NULL, last_error = NULL
    FROM ours WHERE {_SAME_KEY.format("ours")}
    RETURNING ours.*
)
INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, status_code, response, duration_ms)
SELECT event_id, effect, target, attempt, 'done', status_code, response, duration_ms FROM ended
RETURNING event_id, effect, target
"""
).columns(event_id=Uuid())

# After the last of so many wake-ups: 2, 4, 8, 16 and from then on 30 seconds. The exponent is bounded, since a row may
# be named for days.
_PAUSE = "least(30, power(2, least(d.nudges, 5))) * interval '1 second'"
# Ordered by the key, so that a page of rows that stay (locked, or just published) cannot hide the ones behind it.
# While the queue's list is empty nothing published can still be waiting in it, so that the growing pause between
# wake-ups is not waited for: two seconds after it was due, a delivery is named again.
_OVERDUE = """
SELECT d.event_id, d.effect, d.target, d.queue, e.subject_type, e.subject_id
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE d.state = 'pending' AND d.queue = :queue AND {waiting}
  AND (d.lease_until IS NULL OR d.lease_until <= now())
  AND (d.event_id, d.effect, d.target) > (CAST(:event_id AS uuid), :effect, :target)
ORDER BY d.event_id, d.effect, d.target
LIMIT :page
FOR UPDATE OF d SKIP LOCKED
"""
_PATIENT = text(_OVERDUE.format(waiting="d.nudge_at <= now()"))
_EMPTY_LIST = text(
    _OVERDUE.format(
        waiting="(d.nudge_at <= now() OR (d.nudge_at <= now() + interval '30 seconds'"
        " AND d.nudges > 0 AND d.due_at + interval '2 seconds' <= now()"
        # Another sweep may have filled the list since its length was read.
        f" AND d.nudge_at - {_PAUSE} <= now() - interval '0.5 seconds'))"
    )
)
_NUDGED = text(
    f"""
UPDATE deliveries d SET nudges = d.nudges + 1, nudge_at = now() + {_PAUSE.replace("d.nudges", "(d.nudges + 1)")}
FROM {_KEYS} AS n(event_id, effect, target) WHERE {_SAME_KEY.format("n")} AND {_PENDING}
"""
)
_NOT_NUDGED = text(
    f"""
UPDATE deliveries d SET nudges = d.nudges - 1, nudge_at = now()
FROM {_KEYS} AS n(event_id, effect, target) WHERE {_SAME_KEY.format("n")} AND {_PENDING} AND d.nudges > 0
"""
)

# What has waited from the first for a server that is unavailable: postponed again and again, it is hardly ever due.
# Webhooks wait for their own endpoints, which is their owners' affair, and pushes for hosts that anybody may name.
_WAITS = """
d.put_off_until = d.due_at AND d.last_error IS NOT NULL AND d.effect NOT IN ('webhooks.send', 'push.send')
          AND d.attempts = CASE WHEN d.lease_until > now() THEN 1 ELSE 0 END
"""
# Timers that are due some day are not read: what is due has been nudged, or leased, for less than a minute ahead.
_BACKLOG = text(
    f"""
SELECT asked.queue, due.deliveries, due.age
FROM unnest(CAST(:queues AS text[])) AS asked(queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries, coalesce(now() - min(owed.since), interval '0') AS age
    FROM (
        SELECT CASE WHEN {_WAITS} THEN d.created_at ELSE d.due_at END AS since FROM deliveries d
        WHERE d.state = 'pending' AND d.queue = asked.queue
          AND d.nudge_at <= now() + interval '1 minute' AND (d.due_at <= now() OR {_WAITS})
        ORDER BY d.nudge_at
        LIMIT :most
    ) AS owed
) AS due
"""
).columns(age=Interval())
# Dead messages to partners stay for good: however many there are, so many of each effect are read.
_DEAD = text(
    """
SELECT asked.effect, dead.deliveries
FROM unnest(CAST(:effects AS text[])) AS asked(effect)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries
    FROM (SELECT FROM deliveries WHERE state = 'dead' AND effect = asked.effect LIMIT :most) AS few
) AS dead
WHERE dead.deliveries > 0
"""
)


@dataclass(frozen=True, kw_only=True)
class Success:
    """A delivery whose message was taken, and what its attempt came to."""

    delivery: Delivery
    attempt: Attempt


@dataclass(frozen=True)
class Cursor:
    """The key of the last row of a page."""

    event_id: str = "00000000-0000-0000-0000-000000000000"
    effect: str = ""
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What one queue owes.

    Args:
        due: how many deliveries are due and not done; MAX_COUNTED_DUE stands for that many or more.
        oldest: for how long the oldest of them has been due, since it was recorded or since its last attempt's pause;
            what waits for a server that is unavailable counts as due all the time.
    """

    queue: str
    due: int
    oldest: timedelta


def claim_batch(db: Connection, named: Sequence[DeliveryKey], *, shared: Sequence[str], most: int) -> list[Delivery]:
    """Lock the named deliveries that are free and due, then others that are, for the rest of this transaction.

    From then on a lock is waited for 100 ms and a statement 1 s.

    Args:
        named: of one queue; those that are done, not due, or in another worker's hands are left out.
        shared: the effects whose other deliveries are taken too, those of the first before those of the next.
        most: how many in all.
    """
    values = {**_keys(named), "shared": list(shared), "known": list(event_types()), "most": most}
    return _deliveries(db.execute(_CLAIM_BATCH, values))


def claim(db: Connection, keys: Sequence[DeliveryKey]) -> list[Delivery]:
    """Lock those deliveries for the rest of this transaction that are free and due, and no others."""
    return _deliveries(db.execute(_CLAIM_NAMED, {**_keys(keys), "most": len(keys)}))


def lease(db: Connection, claimed: Sequence[Delivery], duration: timedelta) -> list[Delivery]:
    """Count the attempts before they are made, so that what kills its worker again and again ends as a dead letter."""
    if claimed:
        db.execute(_LEASE, {**_fenced(claimed), "duration": duration})
    return [replace(delivery, fence=delivery.attempt) for delivery in claimed]


def hold(db: Connection, leased: Sequence[Delivery], *, batch: bool = False) -> list[Delivery]:
    """Lock leased deliveries for the rest of this transaction; those whose lease was lost are left out.

    Args:
        batch: whether statements are then bounded as by `claim_batch`.
    """
    rows = db.execute(_HOLD_BATCH if batch else _HOLD_NAMED, _fenced(leased))
    held = {DeliveryKey(event_id=row.event_id, effect=row.effect, target=row.target) for row in rows}
    return [delivery for delivery in leased if delivery.key in held]


def mark_done(db: Connection, deliveries: Sequence[Delivery]) -> int:
    """Mark them done, with whatever they did in this transaction; returns how many were still ours."""
    attempts = [delivery.attempt for delivery in deliveries]
    return db.execute(_DONE, {**_fenced(deliveries), "attempts": attempts}).rowcount


def done(db: Connection, delivery: Delivery, attempt: Attempt | None = None) -> bool:
    """Mark it done; of an outbound one the attempt is kept, too. False when the row is no longer ours."""
    return mark_done(db, [delivery]) == 1 if attempt is None else _write(db, _DONE_WITH_ATTEMPT, delivery, attempt)


def again(db: Connection, delivery: Delivery, after: timedelta, attempt: Attempt) -> bool:
    """Leave it pending, due after a pause. False when the row is no longer ours."""
    return _write(db, _RETRY, delivery, attempt, after=after)


def postpone(db: Connection, leased: Delivery, until: datetime, *, away: str | None = None) -> bool:
    """Leave it pending until then, as if it had never been taken: no attempt was made.

    Args:
        away: that its destination is unavailable, in words, which are kept; None for what is no trouble.
    """
    values = {**vars(leased.key), "attempt": leased.attempt - 1, "fence": leased.fence}
    return bool(db.execute(_POSTPONE, {**values, "until": until, "error": cut(away, MAX_ERROR_CHARACTERS)}).rowcount)


def give_up(db: Connection, delivery: Delivery, attempt: Attempt) -> bool:
    """End it as dead or cancelled, as the attempt's outcome says, until an operator decides otherwise."""
    state = DeliveryState(attempt.outcome)
    cancelled = state is DeliveryState.CANCELLED and attempt.error_class in CANCEL_REASONS
    return _write(
        db, _END, delivery, attempt, state=state.value, cancel_reason=attempt.error_class if cancelled else None
    )


def claim_leased(
    db: Connection, effect: str, keys: Sequence[DeliveryKey], duration: timedelta, *, others: int = 0
) -> list[Delivery]:
    """Lease those of an outbound effect's deliveries that are free and due, in the order in which they are named.

    Args:
        duration: of the lease; the attempt in hand is counted with it.
        others: how many that are not named may be leased along, those that have been due for longest.
    """
    rows = db.execute(
        _LEASE_OTHERS if others > 0 else _LEASE_NAMED,
        {
            "effect": effect,
            "event_ids": [key.event_id for key in keys],
            "targets": [key.target for key in keys],
            "duration": duration,
            "known": list(event_types()),
            "others": others,
        },
    )
    # The rows hold the attempts in hand already.
    taken = {each.key: replace(each, attempt=each.fence) for each in _deliveries(rows)}
    return [*(taken.pop(key) for key in keys if key in taken), *taken.values()]


def renew(db: Connection, leased: Sequence[Delivery], duration: timedelta) -> None:
    """Lease those that are still ours for so long from now on, in one statement that waits for no lock."""
    db.execute(_RENEW, {**_fenced(leased), "duration": duration})


def done_outbound(db: Connection, successes: Sequence[Success]) -> set[DeliveryKey]:
    """Mark them done and keep their attempts, in one statement that waits for no lock.

    Returns:
        Those that were written; the others are locked at the moment, or no longer ours.
    """
    told = _fenced([each.delivery for each in successes]) | {
        "attempts": [each.delivery.attempt for each in successes],
        "status_codes": [each.attempt.status_code for each in successes],
        "responses": [cut(each.attempt.response, MAX_RESPONSE_CHARACTERS) for each in successes],
        "durations": [milliseconds(each.attempt.took) for each in successes],
    }
    rows = db.execute(_DONE_OUTBOUND, told)
    return {DeliveryKey(event_id=row.event_id, effect=row.effect, target=row.target) for row in rows}


def overdue(db: Connection, queue: str, *, list_is_empty: bool, after: Cursor) -> list[Nudge]:
    """A page of a queue's deliveries that a worker is to be woken up for again, locked until the transaction's end.

    Args:
        list_is_empty: whether the queue's list in Redis holds nothing, so that what was published before is gone.
        after: where the page before ended.
    """
    rows = db.execute(
        _EMPTY_LIST if list_is_empty else _PATIENT, {"queue": queue, "page": SWEEP_PAGE, **vars(after)}
    ).all()
    return [Nudge.of(row) for row in rows]


def nudged(db: Connection, nudges: Iterable[Nudge]) -> None:
    """Count a wake-up for each, in the transaction that found them: the next one waits longer."""
    db.execute(_NUDGED, _keys(nudges))


def not_nudged(db: Connection, nudges: Iterable[Nudge]) -> None:
    """Note that these could not be published after all: they are to be named again at once."""
    db.execute(_NOT_NUDGED, _keys(nudges))


def backlogs(db: Connection, queues: Sequence[str], *, most: int = MAX_COUNTED_DUE) -> list[Backlog]:
    """What each of these queues owes, by the database's clock, in one statement that counts up to `most` of each."""
    rows = db.execute(_BACKLOG, {"queues": list(queues), "most": most})
    return [Backlog(queue=row.queue, due=row.deliveries, oldest=row.age) for row in rows]


def dead_by_effect(db: Connection, effects: Sequence[str], *, most: int = MAX_COUNTED_DEAD) -> dict[str, int]:
    """How many deliveries of each of these effects are dead letters, counted up to `most`; none is no entry."""
    return {row.effect: row.deliveries for row in db.execute(_DEAD, {"effects": list(effects), "most": most})}


def cut(words: str | None, most: int) -> str | None:
    """The beginning of a text, as long as it is kept; None for nothing."""
    return words[:most] if words else None


def milliseconds(took: timedelta) -> int:
    """The duration as it is kept."""
    return int(took.total_seconds() * 1000)


def _deliveries(rows: Iterable[Row[Any]]) -> list[Delivery]:
    known = event_types()
    return [delivery for row in rows if (delivery := _delivery(row, known)) is not None]


def _delivery(row: Row[Any], known: Mapping[str, type[Event]]) -> Delivery | None:
    kind = known.get(row.type)
    if kind is None:
        # A newer process recorded it; a newer worker will run what follows from it.
        log.warning("delivery.unknown_event", effect=row.effect, event_id=row.event_id, type=row.type)
        return None
    return Delivery(
        key=DeliveryKey(event_id=row.event_id, effect=row.effect, target=row.target),
        id=row.id,
        endpoint_id=row.endpoint_id,
        event=kind.read(
            id=row.event_id, actor=row.actor, occurred_at=row.occurred_at, sequence=row.sequence, data=row.data
        ),
        nudges=row.nudges,
        attempt=row.attempts + 1,
        fence=row.attempts,
        attempts_reset=row.forgiven,
        was_leased=row.lease_until is not None,
        now=row.now,
        late=row.late,
    )


def _write(db: Connection, statement: Any, delivery: Delivery, attempt: Attempt, **values: Any) -> bool:
    """Write an outcome and its attempt in one statement; False when the row is no longer ours."""
    told = {
        **vars(delivery.key),
        "attempt": delivery.attempt,
        "fence": delivery.fence,
        "outcome": attempt.outcome,
        "error": cut(attempt.error, MAX_ERROR_CHARACTERS),
        "error_class": attempt.error_class,
        "status_code": attempt.status_code,
        "response": cut(attempt.response, MAX_RESPONSE_CHARACTERS),
        "duration_ms": milliseconds(attempt.took),
    }
    return db.execute(statement, told | values).one_or_none() is not None


def _keys(keys: Iterable[DeliveryKey | Nudge]) -> dict[str, Any]:
    named = list(keys)
    return {
        "event_ids": [key.event_id for key in named],
        "effects": [key.effect for key in named],
        "targets": [key.target for key in named],
    }


def _fenced(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    return {**_keys(each.key for each in deliveries), "fences": [each.fence for each in deliveries]}
