"""Find what is due and not done, and count what waits."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection, Interval

from models.base import sql
from workflows.events.record import Wakeup
from workflows.events.rows import KEYS, PENDING, SAME_KEY, keys_as_arrays

SWEEP_PAGE = 500
MAX_COUNTED_DUE = 100_000
MAX_COUNTED_DEAD = 10_000

# After the last of so many wake-ups: 2, 4, 8, 16 and from then on 30 seconds. The exponent is bounded, since a row may
# be named for days.
_PAUSE = "least(30, power(2, least(d.nudges, 5))) * interval '1 second'"
# From the index, in its order, however long the backlog: what has been named leaves its beginning, and what is locked
# is passed over. While the queue's list is empty nothing published can still be waiting in it, so that the growing
# pause between wake-ups is not waited for: two seconds after it was due, a delivery is named again.
_OVERDUE = """
SELECT page.*, e.subject_type, e.subject_id FROM (
    SELECT d.event_id, d.effect, d.target, d.queue FROM deliveries d
    WHERE d.state = 'pending' AND d.queue = :queue AND {waiting}
      AND (d.lease_until IS NULL OR d.lease_until <= now())
    ORDER BY d.nudge_at
    LIMIT :page
    FOR UPDATE SKIP LOCKED
) AS page CROSS JOIN LATERAL (SELECT subject_type, subject_id FROM events WHERE id = page.event_id OFFSET 0) AS e
"""
_PATIENT = sql(_OVERDUE.format(waiting="d.nudge_at <= now()"))
_EMPTY_LIST = sql(
    _OVERDUE.format(
        waiting="d.nudge_at <= now() + interval '30 seconds' AND (d.nudge_at <= now() OR (d.nudges > 0 AND"
        " d.due_at + interval '2 seconds' <= now()"
        # Another sweep may have filled the list since its length was read.
        f" AND d.nudge_at - {_PAUSE} <= now() - interval '0.5 seconds'))"
    )
)
# `:by` is 1, or -1 for what could not be published after all.
_NUDGED = sql(f"""
UPDATE deliveries d SET nudges = d.nudges + :by, nudge_at = now()
    + CASE WHEN :by > 0 THEN {_PAUSE.replace("d.nudges", "(d.nudges + 1)")} ELSE interval '0' END
FROM {KEYS} AS n(event_id, effect, target) WHERE {SAME_KEY.format("n")} AND {PENDING} AND d.nudges + :by >= 0
""")

# Deliveries that have waited from the first for an unavailable server: postponed repeatedly, they are hardly ever due.
# Webhooks wait for their own endpoints, which are their owners' affair, and pushes for hosts that any user may name.
_WAITS = """
d.put_off_until = d.due_at AND d.last_error IS NOT NULL AND d.effect NOT IN ('webhooks.send', 'push.send')
          AND d.attempts = CASE WHEN d.lease_until > now() THEN 1 ELSE 0 END
"""
# Timers that are due some day are not read: what is due has been nudged, or leased, for less than a minute ahead.
_BACKLOG = sql(f"""
SELECT asked.queue, due.deliveries, due.age
FROM unnest(CAST(:queues AS text[])) AS asked(queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries, coalesce(now() - min(owed.since), interval '0') AS age
    FROM (
        SELECT CASE WHEN {_WAITS} THEN d.created_at ELSE d.due_at END AS since FROM deliveries d
        WHERE d.state = 'pending' AND d.queue = asked.queue
          AND d.nudge_at <= now() + interval '1 minute' AND (d.due_at <= now() OR {_WAITS})
        ORDER BY d.nudge_at
        LIMIT :limit
    ) AS owed
) AS due
""").columns(age=Interval())
# Outbound messages that have not left, by when they were recorded, since each postponement moves what is due. A message
# whose time has not come for the first time is none of them.
_UNDELIVERED = sql("""
SELECT asked.queue, coalesce(now() - pending.since, interval '0') AS age
FROM unnest(CAST(:queues AS text[])) AS asked(queue)
CROSS JOIN LATERAL (
    SELECT min(few.created_at) AS since
    FROM (
        SELECT d.created_at FROM deliveries d
        WHERE d.state = 'pending' AND d.queue = asked.queue AND d.effect = ANY(CAST(:effects AS text[]))
          AND (d.due_at <= now() OR d.attempts > d.forgiven OR d.put_off_until IS NOT NULL)
        ORDER BY d.nudge_at
        LIMIT :limit
    ) AS few
) AS pending
""").columns(age=Interval())
# Dead messages to partners stay for good: however many there are, so many of each effect are read.
_DEAD = sql("""
SELECT asked.effect, dead.deliveries
FROM unnest(CAST(:effects AS text[])) AS asked(effect)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries
    FROM (SELECT FROM deliveries WHERE state = 'dead' AND effect = asked.effect LIMIT :limit) AS few
) AS dead
WHERE dead.deliveries > 0
""")


class Backlog(NamedTuple):
    """How many deliveries of one queue are due and not done, and for how long the oldest has been due.

    A delivery is due from its recording or the end of its last pause on; one that waits for a server that is
    unavailable is due all the time.
    """

    queue: str
    due: int
    oldest: timedelta


def overdue(db: Connection, queue: str, *, list_is_empty: bool, limit: int = SWEEP_PAGE) -> list[Wakeup]:
    """A page of a queue's deliveries that a worker is to be woken up for again, locked until the transaction's end.

    Args:
        list_is_empty: whether the queue's list in Redis holds nothing, so that what was published before is gone.
    """
    rows = db.execute(_EMPTY_LIST if list_is_empty else _PATIENT, {"queue": queue, "page": limit}).all()
    return [Wakeup.of(row) for row in rows]


def mark_published(db: Connection, wakeups: Iterable[Wakeup]) -> None:
    """Count a wake-up for each, in the transaction that found them: the next one waits longer."""
    db.execute(_NUDGED, keys_as_arrays(wakeups) | {"by": 1})


def mark_unpublished(db: Connection, wakeups: Iterable[Wakeup]) -> None:
    """Note that these could not be published after all: they are to be named again at once."""
    db.execute(_NUDGED, keys_as_arrays(wakeups) | {"by": -1})


def backlogs(db: Connection, queues: Sequence[str], *, limit: int = MAX_COUNTED_DUE) -> list[Backlog]:
    """The backlog of each of these queues by the database's clock, counted up to `limit`."""
    rows = db.execute(_BACKLOG, {"queues": list(queues), "limit": limit})
    return [Backlog(*row) for row in rows]


def oldest_undelivered(db: Connection, queues: Sequence[str], effects: Sequence[str]) -> dict[str, timedelta]:
    """How long ago the oldest pending message of each queue was recorded, by the database's clock; zero without one.

    Of a queue, `MAX_COUNTED_DUE` pending deliveries are read at most, those that are woken up next first.
    """
    rows = db.execute(_UNDELIVERED, {"queues": list(queues), "effects": list(effects), "limit": MAX_COUNTED_DUE})
    return {row.queue: row.age for row in rows}


def dead_by_effect(db: Connection, effects: Sequence[str], *, limit: int = MAX_COUNTED_DEAD) -> dict[str, int]:
    """How many deliveries of each of these effects are dead letters, counted up to `limit`; none is no entry."""
    return {row.effect: row.deliveries for row in db.execute(_DEAD, {"effects": list(effects), "limit": limit})}
