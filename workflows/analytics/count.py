"""Count what happened by day and quarter of an hour, exactly once: in the transaction that marks the delivery done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.analytics import COUNTERS

_NAMES = ", ".join(COUNTERS)
_ADDED_UP = ", ".join(f"sum({name})::integer AS {name}" for name in COUNTERS)
_GIVEN = ", ".join(f"{name} integer" for name in COUNTERS)
_ONE_MORE = ", ".join(f"{name} = stats.{name} + excluded.{name}" for name in COUNTERS)

# The days first and in their order, then the quarters in theirs, whoever counts: so that two who meet wait for one
# another, and never in a circle.
_COUNT = text(
    f"""
WITH added AS (
    SELECT date_bin('15 minutes', at, TIMESTAMPTZ 'epoch') AS quarter_hour, {_ADDED_UP}
    FROM jsonb_to_recordset(:counts) AS counts(at timestamptz, {_GIVEN})
    GROUP BY 1
),
by_day AS (
    INSERT INTO daily_session_stats AS stats (day, mentor_profile_id, course_id, {_NAMES})
    SELECT (quarter_hour AT TIME ZONE 'UTC')::date, CAST(:mentor_profile_id AS uuid), CAST(:course_id AS uuid),
           {_ADDED_UP}
    FROM added GROUP BY 1 ORDER BY 1
    ON CONFLICT (day, mentor_profile_id, course_id) DO UPDATE SET {_ONE_MORE}
    RETURNING 1
)
INSERT INTO quarter_hour_session_stats AS stats (quarter_hour, mentor_profile_id, course_id, {_NAMES})
SELECT quarter_hour, CAST(:mentor_profile_id AS uuid), CAST(:course_id AS uuid), {_NAMES}
FROM added, (SELECT count(*) FROM by_day) AS days_are_counted
ORDER BY 1
ON CONFLICT (quarter_hour, mentor_profile_id, course_id) DO UPDATE SET {_ONE_MORE}
"""
).bindparams(bindparam("counts", type_=JSONB))


@dataclass(frozen=True)
class Count:
    """What is to be counted at one moment.

    Args:
        at: when it happened, not when it is counted.
        amounts: how much more, by the counter's name (`models.analytics.COUNTERS`).
    """

    at: datetime
    amounts: Mapping[str, int]


def count(db: Connection, *counts: Count, mentor_profile_id: UUID, course_id: UUID | None) -> None:
    """Add amounts to a mentor's counters of the days in UTC, and of the quarters of an hour, on which they happened.

    Args:
        course_id: the listing's course; None for a listing of no course.
    """
    if not counts:
        return
    values = {"counts": [_as_json(each) for each in counts], "mentor_profile_id": mentor_profile_id}
    db.execute(_COUNT, values | {"course_id": course_id})


def _as_json(each: Count) -> dict[str, Any]:
    return {**dict.fromkeys(COUNTERS, 0), **each.amounts, "at": each.at.isoformat()}
