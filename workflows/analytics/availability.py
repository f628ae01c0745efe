"""When a mentor is open, and when booked: minutes by weekday and hour of their own clocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Integer, Select, Text, and_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import INTERVAL

from models.people import mentor_profiles
from models.sessions import SessionStatus, sessions
from workflows.analytics.period import Period
from workflows.analytics.slots import clock_of, offsets_of

WEEKDAYS, HOURS = 7, 24
_QUARTER = cast("15 minutes", INTERVAL)


@dataclass(frozen=True)
class HourOfWeek:
    """One hour of the week in a period's zone.

    Args:
        weekday: 0 for Monday to 6 for Sunday.
        hour: 0 to 23, by the clocks: an hour that comes twice counts twice, one that is left out not at all.
        open_minutes: how long the mentor could have been booked; None while mentors say no weekly hours.
        booked_minutes: how long sessions took, or are to take; cancelled ones took none.
    """

    weekday: int
    hour: int
    open_minutes: int | None
    booked_minutes: int


@dataclass(frozen=True)
class Availability:
    """The hours of a mentor's week, added up over a period."""

    mentor_profile_id: UUID
    period: Period
    hours: list[HourOfWeek]


def mentor_zone_query(mentor_profile_id: UUID) -> Select[Any]:
    """The mentor and the zone of their clocks."""
    return select(mentor_profiles.c.id, mentor_profiles.c.time_zone).where(mentor_profiles.c.id == mentor_profile_id)


def availability_of(db: Connection, mentor_profile_id: UUID, period: Period) -> Availability:
    """A mentor's hours of the week, all 168 of them, from Monday's first to Sunday's last."""
    booked = db.execute(_booked_seconds(mentor_profile_id, period))
    seconds = {(row.weekday, row.hour): row.seconds for row in booked}
    week = [(weekday, hour) for weekday in range(WEEKDAYS) for hour in range(HOURS)]
    minutes = whole_minutes([seconds.get(each, Decimal()) for each in week])
    hours = [HourOfWeek(*each, None, taken) for each, taken in zip(week, minutes, strict=True)]
    return Availability(mentor_profile_id, period, hours)


def whole_minutes(seconds: Iterable[Decimal]) -> list[int]:
    """Whole minutes that add up: what is left of one hour's last minute goes to the next hour that has any."""
    passed = [0, *(int(total // 60) for total in accumulate(seconds))]
    return [after - before for before, after in pairwise(passed)]


def _booked_seconds(mentor_profile_id: UUID, period: Period) -> Select[Any]:
    offsets = offsets_of(period)
    start = func.greatest(sessions.c.start_time, period.start)
    end = func.least(sessions.c.end_time, period.end)
    first = func.date_bin(_QUARTER, start, func.to_timestamp(0))
    # A quarter of an hour lies within one hour of every zone, and no change of the clocks falls into it.
    quarters = func.generate_series(first, end, _QUARTER).table_valued("quarter", name="quarters").render_derived()
    quarter = quarters.c.quarter
    part = func.least(end, quarter + _QUARTER) - func.greatest(start, quarter)
    clock = clock_of(quarter, offsets)
    weekday, hour = _field("isodow", clock) - 1, _field("hour", clock)
    seconds = func.sum(func.extract("epoch", part))
    shown: list[ColumnElement[Any]] = [weekday.label("weekday"), hour.label("hour"), seconds.label("seconds")]
    return (
        select(*shown)
        .select_from(sessions)
        .join(quarters, quarter < end)
        .join(offsets, and_(quarter >= offsets.c.since, quarter < offsets.c.until))
        .where(
            sessions.c.mentor_profile_id == mentor_profile_id,
            sessions.c.status != SessionStatus.CANCELLED,
            sessions.c.start_time < period.end,
            sessions.c.end_time > period.start,
        )
        .group_by(weekday, hour)
    )


def _field(name: str, clock: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(func.date_part(literal(name, Text), clock), Integer)
