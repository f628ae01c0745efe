"""Recount what the events say, compare it with what has been counted, and set right what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.analytics import COUNTERS, daily_session_stats, daily_transition_times, quarter_hour_session_stats
from workflows.invariants import queries

INVARIANT = "daily_count_differs"
# What a row is about, and what it counts. In the order in which whoever counts writes them, so that nobody waits in a
# circle.
KEYS: dict[Table, tuple[str, ...]] = {
    daily_session_stats: ("day", "mentor_profile_id", "course_id"),
    quarter_hour_session_stats: ("quarter_hour", "mentor_profile_id", "course_id"),
    daily_transition_times: ("day", "mentor_profile_id", "course_id", "transition", "bucket"),
}
COUNTED: dict[Table, tuple[str, ...]] = {
    daily_session_stats: COUNTERS,
    quarter_hour_session_stats: COUNTERS,
    daily_transition_times: ("count", "milliseconds"),
}

# Everything that ever happened takes longer to read than a request may.
_PATIENCE = (
    "SELECT set_config('tutelage.recount_since', '1970-01-01', true), set_config('statement_timeout', '0', true)"
)
# Whoever counts locks the tables until the delivery is done as well: once nobody does, what is done is counted, what is
# not done is not, and nobody counts until the end of the transaction. Reading goes on.
_STOP_COUNTING = f"LOCK TABLE {', '.join(table.name for table in KEYS)} IN SHARE ROW EXCLUSIVE MODE"
_OWED = """
SELECT count(*) FILTER (WHERE d.event_id IS NULL) AS without_delivery,
       count(*) FILTER (WHERE d.state = 'pending') AS pending,
       count(*) FILTER (WHERE d.state IN ('dead', 'cancelled')) AS given_up
FROM events e
LEFT JOIN deliveries d ON d.event_id = e.id AND d.effect = 'analytics.' || replace(e.type, '.', '_')
WHERE 'analytics.' || replace(e.type, '.', '_') = ANY(:effects)
"""


@dataclass(frozen=True)
class Difference:
    """One row of counts that is not what its events add up to.

    Args:
        key: the row's key by column.
        expected: what its counters should be, those at nothing left out; None where there should be no row.
        found: what they are; None where there is no row.
    """

    table: str
    key: dict[str, Any]
    expected: dict[str, int] | None
    found: dict[str, int] | None


@dataclass(frozen=True)
class Owed:
    """Events that are not counted (yet), and so are no part of a recount."""

    without_delivery: int
    pending: int
    given_up: int


def differences(db: Connection) -> list[Difference]:
    """Every row that differs, of all time. One statement, so that it sees counts and deliveries of one moment."""
    db.execute(text(_PATIENCE))
    rows = db.execute(text(queries()[INVARIANT]))
    return [Difference(row.counted_in, row.key, row.expected, row.found) for row in rows]


def owed(db: Connection, effects: Iterable[str]) -> Owed:
    """How many events have yet to be counted, or never will be by themselves.

    Args:
        effects: the names of the effects that count.
    """
    row = db.execute(text(_OWED), {"effects": list(effects)}).one()
    return Owed(row.without_delivery, row.pending, row.given_up)


def set_right(db: Connection) -> list[Difference]:
    """Make every count what its events add up to, and return what was wrong. Nobody counts until the transaction ends.

    A worker that waits for longer than it may has its delivery tried again, as after any other trouble.
    """
    db.execute(text(_STOP_COUNTING))
    found = differences(db)
    for table in KEYS:
        wrong = [difference for difference in found if difference.table == table.name]
        if wrong:
            db.execute(_delete(table), {"rows": [difference.key for difference in wrong]})
            db.execute(_insert(table), {"rows": [each.key | each.expected for each in wrong if each.expected]})
    return found


def _delete(table: Table) -> Any:
    same = " AND ".join(f"{table.name}.{name} IS NOT DISTINCT FROM wrong.{name}" for name in KEYS[table])
    return _with_rows(
        f"DELETE FROM {table.name} USING jsonb_populate_recordset(NULL::{table.name}, :rows) AS wrong WHERE {same}"
    )


def _insert(table: Table) -> Any:
    key, counted = KEYS[table], COUNTED[table]
    values = ", ".join([*key, *(f"coalesce({name}, 0)" for name in counted)])
    return _with_rows(
        f"INSERT INTO {table.name} ({', '.join([*key, *counted])})"
        f" SELECT {values} FROM jsonb_populate_recordset(NULL::{table.name}, :rows)"
    )


def _with_rows(statement: str) -> Any:
    return text(statement).bindparams(bindparam("rows", type_=JSONB))
