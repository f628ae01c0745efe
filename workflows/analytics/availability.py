"""Open and booked minutes of a mentor by weekday and hour.

Open by the weekly hours that held at the time, the hours of single dates, and without time off.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Integer, Select, Text, cast, func, literal, or_, select

from models.availability import weekly_hours
from models.people import mentor_profiles
from models.sessions import SessionStatus, sessions
from workflows.analytics.scope import QUARTER, Period
from workflows.availability.calendar import load_calendars
from workflows.availability.hours import Hours, spans_as_json
from workflows.availability.intervals import Interval
from workflows.availability.open_times import open_times, without

Hour = tuple[int, int]  # weekday (0 for Monday), hour
WEEK = [(weekday, hour) for weekday in range(7) for hour in range(24)]
MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_QUARTER = literal(QUARTER)


@dataclass(frozen=True)
class HourOfWeek:
    """One hour of the week in a period's zone."""

    weekday: int  # 0 for Monday to 6 for Sunday
    hour: int  # 0 to 23, by the clocks: an hour that comes twice counts twice, one that is left out not at all
    # How long the mentor could have been booked, by the weekly hours that held at the time and the hours of single
    # dates, without time off; None where the mentor has never set any hours.
    open_minutes: int | None
    booked_minutes: int  # how long sessions took, or are to take; cancelled ones took none


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
    open_for = _open_hours_of(db, mentor_profile_id, period)
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
    start = func.greatest(sessions.c.start_time, period.start)
    end = func.least(sessions.c.end_time, period.end)
    first = func.date_bin(_QUARTER, start, func.to_timestamp(0))
    # A quarter of an hour lies within one hour of every zone, and no change of the clocks falls into it.
    quarters = func.generate_series(first, end, _QUARTER).table_valued("quarter", name="quarters").render_derived()
    quarter = quarters.c.quarter
    part = func.least(end, quarter + _QUARTER) - func.greatest(start, quarter)
    clock = period.local_time(quarter)
    weekday, hour = (_field("isodow", clock) - 1).label("weekday"), _field("hour", clock).label("hour")
    shown: list[ColumnElement[Any]] = [weekday, hour, func.sum(part).label("taken")]
    return (
        select(*shown)
        .select_from(sessions)
        .join(quarters, quarter < end)
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


def _open_hours_of(db: Connection, mentor_profile_id: UUID, period: Period) -> dict[Hour, timedelta] | None:
    """How long a mentor is open in each hour of the week in a period, on the clocks of the period's zone.

    The first weekly hours that a mentor ever set count for all the time before them. Hours of single dates and time off
    count as they are now.

    Returns:
        What is not in it is closed; None where the mentor has never set weekly hours, and none of a date in the period.
    """
    revisions = [
        (
            Hours.read(row.time_zone, row.spans),
            period.start if row.revision == 1 else max(row.since, period.start),
            min(row.until or period.end, period.end),
        )
        for row in db.execute(_hours_query(period, mentor_profile_id))
    ]
    calendar = load_calendars(db, [mentor_profile_id], period.start, period.end)[mentor_profile_id]
    if not revisions:
        if not calendar.dates:
            return None
        revisions = [(calendar.hours, period.start, period.end)]
    found: dict[Hour, timedelta] = defaultdict(timedelta)
    for hours, since, until in revisions:
        opened = without(calendar.time_off, open_times(hours, since, until, calendar.dates))
        for start, end in _on_the_clocks(opened, period):
            for begin, after in _cut_by_hour(start, end):
                found[begin.weekday(), begin.hour] += after - begin
    return found


def _hours_query(period: Period, mentor_profile_id: UUID) -> Select[Any]:
    hours = weekly_hours.c
    return (
        select(hours.since, hours.until, hours.revision, hours.time_zone, spans_as_json().label("spans"))
        .where(hours.mentor_profile_id == mentor_profile_id)
        .where(or_(hours.since < period.end, hours.revision == 1))
        .where(or_(hours.until.is_(None), hours.until > period.start))
    )


def _on_the_clocks(stretches: Iterator[Interval], period: Period) -> Iterator[Interval]:
    """The stretches as the clocks of the period's zone show them, cut where these are put forward or back."""
    offsets = period.offsets()
    until = [since for since, _offset in offsets[1:]] + [period.end]
    for start, end in stretches:
        for (since, offset), next_one in zip(offsets, until, strict=True):
            begin, after = max(start, since), min(end, next_one)
            if begin < after:
                yield _shown(begin, offset), _shown(after, offset)


def _shown(moment: datetime, offset: timedelta) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) + offset


def _cut_by_hour(start: datetime, end: datetime) -> Iterator[Interval]:
    first = start.replace(minute=0, second=0, microsecond=0)
    hours = range(-((first - end) // _HOUR))
    edges = [start, *(first + hour * _HOUR for hour in hours[1:]), end]
    return pairwise(edges)
