"""Retention: what is old enough is deleted in pages by `maintain`, table by table, each by a cursor of its own.

A walk begins at the oldest row and ends at the age that the settings give; the next one begins an hour later, so that
what was pending at first is deleted in the end. The cursor's moment says up to when rows may be gone, and is noted
before any is: the invariants and the backfill miss nothing from before.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Uuid

from models.base import Timestamp, sql
from models.events import DELIVERY_ID, FORMER_DELIVERY_ID
from workflows.events.rows import SAME_KEY
from workflows.kernel.clock import CLOCK_SKEW, first_id_at
from workflows.kernel.cursors import FIRST_ID, LAST_ID, move_cursor, take_cursor

PAGE = 5_000
WALK_EVERY = timedelta(hours=1)
_NEVER = datetime.fromtimestamp(0, UTC)
# A walk passes over a cursor that is locked.
_KEPT_SINCE = sql("SELECT moment FROM maintenance_cursors WHERE name = :name FOR SHARE")


class Retention:
    """How the old rows of one table are deleted.

    Args:
        table: by which its cursor is called.
        key: the column, a UUIDv7, in whose order the rows are gone through.
        delete: deletes what has ended between `:after_id` and `:up_to_id`, both keys, and before `:horizon_time`.
    """

    def __init__(self, table: str, key: str, delete: str) -> None:
        self.cursor = f"retention of {table}"
        self.delete = sql(delete)
        self.last_of_page = sql(
            f"SELECT {key} FROM {table} WHERE {key} > :after_id AND {key} < :up_to_id"
            f" ORDER BY {key} OFFSET :skipped LIMIT 1"
        )

    def __call__(self, db: Connection, *, now: datetime, keep_days: int, page: int = PAGE) -> bool:
        """Go through a page of the old rows; returns whether there may be more.

        Args:
            keep_days: for how long rows are kept; 0 for ever.
        """
        cursor = take_cursor(db, self.cursor, _NEVER) if keep_days else None
        if cursor is None:
            return False
        horizon, after, cutoff = cursor.moment, cursor.id, now - timedelta(days=keep_days)
        if after == LAST_ID or horizon == _NEVER:
            horizon, after = max(cutoff, horizon), FIRST_ID
            if horizon < cursor.moment + WALK_EVERY:
                return False
        if horizon > cutoff:
            return False
        before = first_id_at(horizon - CLOCK_SKEW)
        last = db.scalar(self.last_of_page, {"after_id": after, "up_to_id": before, "skipped": page - 1})
        move_cursor(db, self.cursor, horizon, last or LAST_ID)
        db.execute(self.delete, {"after_id": after, "up_to_id": last or before, "horizon_time": horizon})
        return last is not None


def kept_since(db: Connection, retention: Retention) -> datetime:
    """From when on every row of the table is there, and stays until the transaction ends."""
    kept: datetime | None = db.scalar(_KEPT_SINCE, {"name": retention.cursor})
    return kept or _NEVER


# What is pending or dead stays, however old. The outcomes that are shown with a booking or a session stay in a compact
# form for as long as their event. A mail goes with the notification of which it was composed, which nobody is shown:
# the same words in the application stay.
delete_deliveries = Retention(
    "deliveries",
    "event_id",
    f"""
WITH old AS MATERIALIZED (
    SELECT d.event_id, d.effect, d.target FROM deliveries d
    WHERE d.event_id > :after_id AND d.event_id <= :up_to_id AND CAST(d.state AS text) IN ('done', 'cancelled')
      AND coalesce(d.done_at, d.due_at) < :horizon_time
    FOR UPDATE SKIP LOCKED
), attempts AS (
    DELETE FROM delivery_attempts d USING old WHERE {SAME_KEY.format("old")}
), mailed AS MATERIALIZED (
    SELECT n.id FROM old JOIN notifications n ON n.event_id = old.event_id AND CAST(n.user_id AS text) = old.target
    WHERE old.effect = 'mail.send' AND n.channel = 'email'
    FOR UPDATE OF n SKIP LOCKED
), mails AS (
    DELETE FROM notifications n USING mailed WHERE n.id = mailed.id
), gone AS (
    DELETE FROM deliveries d USING old WHERE {SAME_KEY.format("old")}
    RETURNING d.event_id, d.effect, d.target, d.queue, d.state, d.attempts, coalesce(d.done_at, d.due_at) AS ended_at,
              d.id = {DELIVERY_ID.format(of="d")} AS ordered
)
INSERT INTO event_outcomes (event_id, outcomes)
SELECT gone.event_id, jsonb_agg(
    jsonb_build_array(
        effect, target, queue, state, attempts, CAST(extract(epoch FROM ended_at) AS numeric(20, 3)), ordered
    )
)
FROM gone JOIN events e ON e.id = gone.event_id
WHERE e.subject_type IN ('booking', 'session') AND effect NOT IN ('webhooks.send', 'push.send', 'channels.send')
GROUP BY gone.event_id
ON CONFLICT (event_id) DO UPDATE SET outcomes = event_outcomes.outcomes || excluded.outcomes
""",
)
# Reports count the seats of groups by their events. An event stays while a delivery or a notification names it.
delete_events = Retention(
    "events",
    "id",
    """
WITH old AS MATERIALIZED (
    SELECT e.id FROM events e
    WHERE e.id > :after_id AND e.id <= :up_to_id AND e.created_at < :horizon_time
      AND e.type NOT IN ('seat.joined', 'seat.left', 'seat.refunded')
      AND NOT EXISTS (SELECT FROM deliveries d WHERE d.event_id = e.id)
      AND NOT EXISTS (SELECT FROM notifications n WHERE n.event_id = e.id)
    FOR UPDATE SKIP LOCKED
), outcomes AS (
    DELETE FROM event_outcomes o USING old WHERE o.event_id = old.id
)
DELETE FROM events e USING old WHERE e.id = old.id
""",
)
OUTCOMES = sql(f"""
SELECT CASE WHEN ordered THEN {DELIVERY_ID.format(of="ended")} ELSE {FORMER_DELIVERY_ID.format(of="ended")} END AS id,
       ended.*
FROM (
    SELECT e.id AS event_id, e.type AS event_type, e.subject_type, e.subject_id, e.created_at,
           outcome ->> 0 AS effect, outcome ->> 1 AS target, outcome ->> 2 AS queue, outcome ->> 3 AS state,
           CAST(outcome ->> 4 AS int) AS attempts, to_timestamp(CAST(outcome ->> 5 AS float)) AS ended_at,
           CAST(outcome ->> 6 AS bool) AS ordered
    FROM events e JOIN event_outcomes o ON o.event_id = e.id CROSS JOIN jsonb_array_elements(o.outcomes) AS outcome
    WHERE e.subject_id = ANY(CAST(:subject_ids AS uuid[]))
) AS ended
""").columns(id=Uuid(), event_id=Uuid(), subject_id=Uuid(), created_at=Timestamp, ended_at=Timestamp)
