"""The operators' overview: sessions by status and by mentor, and how many accepted bookings became sessions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from models.base import sql

BUSIEST = 100
CHANGES_AT_ONCE = 10_000
# Among the counters of sessions by status.
ACCEPTED_BOOKINGS = "accepted_bookings"

# Three questions in one statement, so that their answers are of the same moment. Their cost does not grow with history:
# they read a row per mentor and counter, and the changes that maintain has not added up yet.
_SUMMARY = f"""
WITH counted AS (
    SELECT mentor_profile_id, counter, sum(amount) AS amount
    FROM (SELECT mentor_profile_id, counter, amount FROM session_counts
          UNION ALL
          SELECT mentor_profile_id, counter, amount FROM session_count_changes) AS parts
    GROUP BY mentor_profile_id, counter
    HAVING sum(amount) <> 0
),
busiest AS (
    SELECT mentor_profile_id, sum(amount) AS sessions FROM counted WHERE counter <> '{ACCEPTED_BOOKINGS}'
    GROUP BY mentor_profile_id ORDER BY 2 DESC, 1 LIMIT {BUSIEST}
)
SELECT (SELECT coalesce(json_object_agg(counter, amount), '{{}}')
        FROM (SELECT counter, sum(amount) AS amount FROM counted GROUP BY counter) AS totals) AS totals,
       (SELECT coalesce(json_agg(json_build_object('mentor_profile_id', m.id, 'mentor_name', u.name,
                                                   'sessions', b.sessions) ORDER BY b.sessions DESC, m.id), '[]')
        FROM busiest b
        JOIN mentor_profiles m ON m.id = b.mentor_profile_id
        JOIN users u ON u.id = m.user_id) AS busiest,
       (SELECT coalesce(json_agg(overdue), '[]')
        FROM (SELECT id AS session_id, mentor_profile_id, end_time FROM sessions
              WHERE status = 'in_progress' AND start_time < :ended_before AND end_time < :ended_before
              ORDER BY start_time LIMIT {BUSIEST}) AS overdue) AS to_complete
"""

_STATEMENT = sql(_SUMMARY)

# A batch in the order of the keys, so that two transactions never deadlock. An array: a plan may run a subquery once
# more for each row, and would take other rows then.
_ADD_UP = """
WITH batch AS (
    DELETE FROM session_count_changes
    WHERE id = ANY(ARRAY(SELECT id FROM session_count_changes ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED))
    RETURNING mentor_profile_id, counter, amount
),
added AS (
    INSERT INTO session_counts AS counts (mentor_profile_id, counter, amount)
    SELECT mentor_profile_id, counter, sum(amount) FROM batch GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (mentor_profile_id, counter) DO UPDATE SET amount = counts.amount + excluded.amount
)
SELECT count(*) FROM batch
"""


@dataclass(frozen=True)
class Summary:
    """The overview."""

    statuses: dict[str, int]  # how many sessions have each status that any has
    busiest: list[dict[str, Any]]  # the mentors with the most sessions, at most a hundred of them, each by id and name
    accepted_bookings: int  # how many there are; each of them has a session, or gets it in a moment
    # The oldest sessions that are still in progress a day after their end, at most a hundred of them.
    to_complete: list[dict[str, Any]]

    @property
    def sessions(self) -> int:
        return sum(self.statuses.values())

    @property
    def rate(self) -> float | None:
        """Sessions per accepted booking: 1 but for those that are about to be made; None without any."""
        return round(self.sessions / self.accepted_bookings, 4) if self.accepted_bookings else None


def summary_of(db: Connection, *, now: datetime) -> Summary:
    row = db.execute(_STATEMENT, {"ended_before": now - timedelta(hours=24)}).one()
    accepted = row.totals.pop(ACCEPTED_BOOKINGS, 0)
    to_complete = [{**each, "end_time": datetime.fromisoformat(each["end_time"])} for each in row.to_complete]
    return Summary(statuses=row.totals, busiest=row.busiest, accepted_bookings=accepted, to_complete=to_complete)


def add_up_changes(db: Connection, *, limit: int = CHANGES_AT_ONCE) -> bool:
    """Add a batch of what has changed to the counts; returns whether the batch was full."""
    added: int = db.execute(sql(_ADD_UP), {"limit": limit}).scalar_one()
    return added == limit
