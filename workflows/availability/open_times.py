"""Open times by weekly hours and hours of single dates, across daylight-saving changes."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from workflows.availability.hours import NO_DATES, Dates, Hours
from workflows.availability.intervals import Interval
from workflows.kernel.clock import moment_of

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def open_times(hours: Hours, start: datetime, end: datetime, dates: Dates = NO_DATES) -> Iterator[Interval]:
    """The open periods from `start` to before `end`: in UTC, in order, merged where they touch.

    A span lasts from the moment at which the clocks first show its beginning to the one at which they first show its
    end: longer or shorter where they change within it, and without the times that they skip.

    Args:
        dates: the hours of single dates, which replace the weekly hours for the whole date in its own zone. Where dates
            of two zones overlap, only what both open is open.
    """
    opened = _merged([(start, end)] if hours.is_always_open else _week_by_week(hours, start, end), start, end)
    if not dates:
        return opened
    open_on_dates, closed = _on_dates(dates)
    return without(closed, _merged(sorted([*opened, *open_on_dates]), start, end))


def without(closed: Sequence[Interval], opened: Iterable[Interval]) -> Iterator[Interval]:
    """What is left of open periods.

    Args:
        closed: in the order of their starts; they may overlap.
    """
    for start, end in opened:
        for begins, ends in closed:
            if start < ends and begins < end:
                if start < begins:
                    yield start, begins
                start = ends
        if start < end:
            yield start, end


def _merged(periods: Iterable[Interval], start: datetime, end: datetime) -> Iterator[Interval]:
    """The periods within a stretch, merged where they touch or overlap; they come in the order of their starts."""
    begun: Interval | None = None
    for opens, closes in periods:
        opens, closes = max(opens, start), min(closes, end)
        if opens >= closes:
            continue
        if begun and opens <= begun[1]:
            begun = (begun[0], max(begun[1], closes))
            continue
        if begun:
            yield begun
        begun = (opens, closes)
    if begun:
        yield begun


def _on_dates(dates: Dates) -> tuple[list[Interval], list[Interval]]:
    """When the dates are open, and when they are closed, each in order."""
    opened: list[Interval] = []
    closed: list[Interval] = []
    for day, (time_zone, spans) in dates.items():
        there = ZoneInfo(time_zone)
        periods = [(moment_of_day(day, opens, there), moment_of_day(day, closes, there)) for opens, closes in spans]
        opened += periods
        closed += without(periods, [(moment_of_day(day, 0, there), moment_of_day(day + DAY, 0, there))])
    return sorted(opened), sorted(closed)


def _week_by_week(hours: Hours, start: datetime, end: datetime) -> Iterator[Interval]:
    there = ZoneInfo(hours.time_zone)
    of_weekday = [[(span.opens, span.closes) for span in hours.spans if span.weekday == day] for day in range(7)]
    day, last = (edge.astimezone(there).date() for edge in (start, end))
    # Clocks that are put back at midnight show the end of a day once more after the next one has begun.
    while day <= last + DAY:
        for opens, closes in of_weekday[day.weekday()]:
            yield moment_of_day(day, opens, there), moment_of_day(day, closes, there)
        day += DAY


# A search for slots asks for each edge of each day's hours, and the next one for nearly the same.
@lru_cache(maxsize=16_384)
def moment_of_day(day: date, minutes: int, there: ZoneInfo) -> datetime:
    """The first moment at which the clocks of a zone show a time of a day, or a later time where they skip it.

    Args:
        minutes: since midnight.
    """
    shown = datetime.combine(day, time(0)) + minutes * MINUTE
    moment, exists = moment_of(shown, there)
    if exists:
        return moment
    # A skipped time lies behind the change by the offset before it, and before the change by the other one (PEP 495).
    before = shown.replace(tzinfo=there, fold=1).astimezone(UTC)
    offset = moment.astimezone(there).utcoffset()
    passed = bisect_left(
        range((moment - before) // MINUTE + 1),
        True,
        key=lambda minutes: (before + minutes * MINUTE).astimezone(there).utcoffset() == offset,
    )
    return before + passed * MINUTE
