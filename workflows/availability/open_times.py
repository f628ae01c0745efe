"""When weekly hours are open: stretches of time, on days whose clocks change as on all others."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from workflows.availability.hours import Hours, Span

DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")

Stretch = tuple[datetime, datetime]


def open_times(hours: Hours, start: datetime, end: datetime) -> Iterator[Stretch]:
    """What the hours leave open from `start` to before `end`: stretches in UTC, in order, none touching the next.

    A span goes from the moment at which the clocks first show its beginning to the one at which they first show its
    end. So it lasts longer or shorter where the clocks change within it, and of what they leave out nothing is open.
    """
    begun: Stretch | None = None
    for opens, closes in _spans_by_day(hours, start, end):
        opens, closes = max(opens, start), min(closes, end)
        if opens >= closes:
            continue
        if begun and opens <= begun[1]:
            begun = (begun[0], closes)
            continue
        if begun:
            yield begun
        begun = (opens, closes)
    if begun:
        yield begun


def is_open(hours: Hours, start: datetime, end: datetime) -> bool:
    """Whether somebody with these hours can be booked for all of the time; of hours without spans, any time."""
    return not hours.spans or list(open_times(hours, start, end)) == [(start, end)]


def hours_around(hours: Hours, moment: datetime) -> str:
    """The hours of the weekday on which a moment lies, in words for whoever looks for another one."""
    weekday = moment.astimezone(ZoneInfo(hours.time_zone)).weekday()
    spans = [f"{clock(span.opens)} to {clock(span.closes)}" for span in hours.spans if span.weekday == weekday]
    return f"on {_WEEKDAYS[weekday]} {' and '.join(spans) or 'none'} ({hours.time_zone})"


def clock(minutes: int) -> str:
    """Minutes since midnight as clocks show them, from 00:00 to the 24:00 at the day's end."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _spans_by_day(hours: Hours, start: datetime, end: datetime) -> Iterator[Stretch]:
    there = ZoneInfo(hours.time_zone)
    of_weekday: list[list[Span]] = [[span for span in hours.spans if span.weekday == day] for day in range(7)]
    day, last = (edge.astimezone(there).date() for edge in (start, end))
    while day <= last:
        for span in of_weekday[day.weekday()]:
            yield _first(day, span.opens, there), _first(day, span.closes, there)
        day += DAY


def _first(day: date, minutes: int, there: ZoneInfo) -> datetime:
    """When the clocks first show a time of a day; where they leave it out, when they go on behind it."""
    shown = datetime.combine(day, time(0)) + minutes * _MINUTE
    moment = shown.replace(tzinfo=there).astimezone(UTC)
    if moment.astimezone(there).replace(tzinfo=None) == shown:
        return moment
    # By its offset before the change such a time lies behind it, by the offset after the change before it (PEP 495).
    before = shown.replace(tzinfo=there, fold=1).astimezone(UTC)
    minutes_between = range((moment - before) // _MINUTE + 1)
    offset = moment.astimezone(there).utcoffset()
    changed = bisect_left(
        minutes_between, True, key=lambda passed: (before + passed * _MINUTE).astimezone(there).utcoffset() == offset
    )
    return before + changed * _MINUTE
