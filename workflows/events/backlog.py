"""What is still owed: how much is due in each queue and since when, and what has been given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Interval, text

MOST = 100_000

# Timers that are due some day are not read: what is due has been nudged, or leased, for less than a minute ahead.
_DUE = text(
    """
SELECT asked.queue, due.deliveries, due.age
FROM unnest(CAST(:queues AS text[])) AS asked(queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries, coalesce(now() - min(owed.due_at), interval '0') AS age
    FROM (
        SELECT d.due_at FROM deliveries d
        WHERE d.state = 'pending' AND d.queue = asked.queue
          AND d.nudge_at <= now() + interval '1 minute' AND d.due_at <= now()
        ORDER BY d.nudge_at
        LIMIT :most
    ) AS owed
) AS due
"""
).columns(age=Interval())

_DEAD = text("SELECT effect, count(*) AS deliveries FROM deliveries WHERE state = 'dead' GROUP BY effect")


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What one queue owes.

    Args:
        due: how many deliveries are due and not done; MOST stands for that many or more.
        oldest: for how long the oldest of them has been due, since it was recorded or since its last attempt's pause.
    """

    queue: str
    due: int
    oldest: timedelta


def backlogs(db: Connection, queues: Sequence[str], *, most: int = MOST) -> list[Backlog]:
    """What each of these queues owes, by the database's clock, in one statement that counts up to `most` of each."""
    rows = db.execute(_DUE, {"queues": list(queues), "most": most})
    return [Backlog(queue=row.queue, due=row.deliveries, oldest=row.age) for row in rows]


def dead_by_effect(db: Connection) -> dict[str, int]:
    """How many deliveries of each effect were given up."""
    return {row.effect: row.deliveries for row in db.execute(_DEAD)}
