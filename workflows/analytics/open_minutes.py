"""For how long a mentor was, and is to be, open in each hour of the week: by the hours that held at the time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, or_, select

from models.availability import weekly_hours
from workflows.analytics.period import Period
from workflows.availability.hours import Hours, spans_as_json
from workflows.availability.open_times import Interval, open_times

Hour = tuple[int, int]  # weekday (0 for Monday), hour
_HOUR = timedelta(hours=1)


def open_hours_of(db: Connection, mentor_profile_id: UUID, period: Period) -> dict[Hour, timedelta] | None:
    """How long a mentor is open in each hour of the week in a period, on the clocks of the period's zone.

    The first hours that a mentor ever said count for all the time before them.

    Returns:
        What is not in it is closed; None where the mentor has never said any hours.
    """
    said = db.execute(_said_in(period, mentor_profile_id)).all()
    if not said:
        return None
    found: dict[Hour, timedelta] = defaultdict(timedelta)
    for row in said:
        since = period.start if row.revision == 1 else max(row.since, period.start)
        until = min(row.until or period.end, period.end)
        for start, end in _on_the_clocks(open_times(Hours.read(row.time_zone, row.spans), since, until), period):
            for begin, after in _cut_by_hour(start, end):
                found[begin.weekday(), begin.hour] += after - begin
    return found


def _said_in(period: Period, mentor_profile_id: UUID) -> Select[Any]:
    said = weekly_hours.c
    return (
        select(said.since, said.until, said.revision, said.time_zone, spans_as_json().label("spans"))
        .where(said.mentor_profile_id == mentor_profile_id)
        .where(or_(said.since < period.end, said.revision == 1))
        .where(or_(said.until.is_(None), said.until > period.start))
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
