"""What is still owed: how much is due in each queue and since when, and what has been given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Interval, text

MOST = 100_000

# What has waited from the first for a server that is away: put off again and again, it is hardly ever due. Webhooks
# wait for their own endpoints, which is their owners' affair, and pushes for hosts that anybody may have named.
_WAITS = """
d.put_off_until = d.due_at AND d.last_error IS NOT NULL AND d.effect NOT IN ('webhooks.send', 'push.send')
          AND d.attempts = CASE WHEN d.lease_until > now() THEN 1 ELSE 0 END
"""
# Timers that are due some day are not read: what is due has been nudged, or leased, for less than a minute ahead.
_DUE = text(
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

_DEAD = text("SELECT effect, count(*) AS deliveries FROM deliveries WHERE state = 'dead' GROUP BY effect")


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What one queue owes.

    Args:
        due: how many deliveries are due and not done; MOST stands for that many or more.
        oldest: for how long the oldest of them has been due, since it was recorded or since its last attempt's pause;
            what waits for a server that is away counts as due all the time.
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
