"""Where a period's counts are read: by days of UTC where those are its days, else by quarters of an hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Date, FromClause, Table, and_, cast, func, literal
from sqlalchemy.dialects.postgresql import ARRAY, INTERVAL

from models.analytics import daily_session_stats, quarter_hour_session_stats
from models.base import Timestamp
from workflows.analytics.period import Period


@dataclass(frozen=True)
class Slots:
    """The rows of a period.

    Args:
        table: holds the counters.
        source: the table, joined with what `day` needs.
        within: whether a row is of the period.
        day: the day in the period's zone of a row.
    """

    table: Table
    source: FromClause
    within: ColumnElement[bool]
    day: ColumnElement[Any]


def slots_of(period: Period) -> Slots:
    """The rows that add up to the period, and to each day of its zone, exactly."""
    if period.in_days_of_utc:
        day = daily_session_stats.c.day
        within = and_(day >= period.start.date(), day < period.end.date())
        return Slots(daily_session_stats, daily_session_stats, within, day)
    at = quarter_hour_session_stats.c.quarter_hour
    within = and_(at >= period.start, at < period.end)
    offsets = offsets_of(period)
    source = quarter_hour_session_stats.join(offsets, and_(at >= offsets.c.since, at < offsets.c.until))
    return Slots(quarter_hour_session_stats, source, within, cast(clock_of(at, offsets), Date))


def offsets_of(period: Period) -> FromClause:
    """A table of the zone's offsets in the period, each `by` holding `since` one moment and `until` another.

    They come with the question: what PostgreSQL thinks of time zones may be older than what we do.
    """
    since, by = zip(*period.offsets(), strict=True)
    until = (*since[1:], period.end)
    moments, intervals = ARRAY(Timestamp), ARRAY(INTERVAL)
    rows = func.unnest(literal(list(since), moments), literal(list(until), moments), literal(list(by), intervals))
    return rows.table_valued("since", "until", "by", name="offsets").render_derived()


def clock_of(moment: ColumnElement[Any], offsets: FromClause) -> ColumnElement[Any]:
    """What the clocks of the zone show at a moment, without a zone."""
    return func.timezone("UTC", moment) + offsets.c.by
