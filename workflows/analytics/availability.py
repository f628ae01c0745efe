"""When a mentor is open, and when booked: minutes by weekday and hour of their own clocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Integer, Select, Text, and_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import INTERVAL

from models.people import mentor_profiles
from models.sessions import SessionStatus, sessions
from workflows.analytics.open_minutes import open_hours_of
from workflows.analytics.period import Period
from workflows.analytics.slots import clock_of, offsets_of

WEEK = [(weekday, hour) for weekday in range(7) for hour in range(24)]
MINUTE = timedelta(minutes=1)
_QUARTER = cast("15 minutes", INTERVAL)


@dataclass(frozen=True)
class HourOfWeek:
    """One hour of the week in a period's zone.

    Args:
        weekday: 0 for Monday to 6 for Sunday.
        hour: 0 to 23, by the clocks: an hour that comes twice counts twice, one that is left out not at all.
        open_minutes: how long the mentor could have been booked, by the hours that they had said at the time; None
            where they had said none.
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
    booked = {(row.weekday, row.hour): row.taken for row in db.execute(_booked(mentor_profile_id, period))}
    open_for = open_hours_of(db, mentor_profile_id, period)
    open_minutes = [None] * len(WEEK) if open_for is None else _minutes(open_for)
    minutes = zip(WEEK, open_minutes, _minutes(booked), strict=True)
    hours = [HourOfWeek(weekday, hour, free, taken) for (weekday, hour), free, taken in minutes]
    return Availability(mentor_profile_id, period, hours)


def _minutes(of_hours: Mapping[tuple[int, int], timedelta]) -> list[int]:
    return whole_minutes(of_hours.get(each, timedelta()) for each in WEEK)


def whole_minutes(times: Iterable[timedelta]) -> list[int]:
    """Whole minutes that add up: what is left of one hour's last minute goes to the next hour that has any."""
    passed = [0, *(total // MINUTE for total in accumulate(times))]
    return [after - before for before, after in pairwise(passed)]


def _booked(mentor_profile_id: UUID, period: Period) -> Select[Any]:
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
    shown = [weekday.label("weekday"), hour.label("hour"), func.sum(part).label("taken")]
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
