"""Count what happened by day and quarter of an hour, exactly once: in the transaction that marks the delivery done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.analytics import COUNTERS

_SLOTS = {
    "daily_session_stats": ("day", "(at AT TIME ZONE 'UTC')::date"),
    "quarter_hour_session_stats": ("quarter_hour", "date_bin('15 minutes', at, TIMESTAMPTZ 'epoch')"),
}
_COUNT = """
INSERT INTO {table} AS stats ({column}, mentor_profile_id, course_id, {names})
SELECT {slot}, CAST(:mentor_profile_id AS uuid), CAST(:course_id AS uuid), {added_up}
FROM jsonb_to_recordset(:counts) AS counts(at timestamptz, {given})
GROUP BY 1 ORDER BY 1
ON CONFLICT ({column}, mentor_profile_id, course_id) DO UPDATE SET {one_more}
"""
_NAMES = {
    "names": ", ".join(COUNTERS),
    "added_up": ", ".join(f"sum({name})" for name in COUNTERS),
    "given": ", ".join(f"{name} integer" for name in COUNTERS),
    "one_more": ", ".join(f"{name} = stats.{name} + excluded.{name}" for name in COUNTERS),
}
# The days first and in their order, then the quarters in theirs, whoever counts: so that those who meet wait for one
# another, and never in a circle. Not one statement, which would lock both tables in an order of its own.
_STATEMENTS = [
    text(_COUNT.format(table=table, column=column, slot=slot, **_NAMES)).bindparams(bindparam("counts", type_=JSONB))
    for table, (column, slot) in _SLOTS.items()
]


@dataclass(frozen=True)
class Count:
    """What is to be counted at one moment.

    Args:
        at: when it happened, not when it is counted.
        amounts: how much more, by the counter's name (`models.analytics.COUNTERS`).
    """

    at: datetime
    amounts: Mapping[str, int]


class Counted(Protocol):
    """Whatever says whose it is: a mentor's, and of the listing's course, or of none. Most events do."""

    @property
    def mentor_profile_id(self) -> UUID | None:
        """Whose."""

    @property
    def course_id(self) -> UUID | None:
        """Of what."""


def count(db: Connection, of: Counted, *counts: Count) -> None:
    """Add amounts to a mentor's counters of the days in UTC, and of the quarters of an hour, on which they happened.

    Args:
        of: whose counters; mostly the event that is counted.
    """
    if not counts:
        return
    whose = {"mentor_profile_id": of.mentor_profile_id, "course_id": of.course_id}
    for statement in _STATEMENTS:
        db.execute(statement, {"counts": [_as_json(each) for each in counts], **whose})


def _as_json(each: Count) -> dict[str, Any]:
    return {**dict.fromkeys(COUNTERS, 0), **each.amounts, "at": each.at.isoformat()}
