"""The stretch of time that a report is about: whole days of a zone, or quarters of an hour, and a year at the most."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from workflows.clock import zone
from workflows.errors import Invalid

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
LONGEST = 366  # days
USUAL = 30  # days

Edge = date | datetime


@dataclass(frozen=True)
class Period:
    """From `start` to before `end`, in UTC and at quarters of an hour, as whoever asks in `zone` sees it."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def in_days_of_utc(self) -> bool:
        """Whether the period, and every day of its zone, begins and ends with a day of UTC."""
        midnights = all(edge.time() == time(0) for edge in (self.start, self.end))
        return midnights and all(not offset for _since, offset in self.offsets())

    def offsets(self) -> list[tuple[datetime, timedelta]]:
        """The zone's offset from UTC at the start, and each other one with the quarter since which it holds."""
        found = [(self.start, self._offset(self.start))]
        for day in _steps(self.start, self.end, DAY):
            after = min(day + DAY, self.end)
            while (offset := found[-1][1]) != self._offset(after):
                # Days apart, offsets change once: at the first quarter that has another one.
                quarters = list(_steps(max(day, found[-1][0]), after + QUARTER, QUARTER))
                first = bisect_left(quarters, True, key=lambda quarter: self._offset(quarter) != offset)
                found.append((quarters[first], self._offset(quarters[first])))
        return found

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()


def period(first: Edge | None, last: Edge | None, time_zone: str, *, now: datetime) -> Period:
    """The period that somebody asks for.

    Args:
        first: a day of the zone, which is wholly in it, or a moment; None for 30 days in all.
        last: a day of the zone, which is wholly in it, or the moment before which it ends; None for today.
        time_zone: an IANA name.

    Raises:
        Invalid: it ends before it begins, or is longer than 366 days.
    """
    there = zone(time_zone)
    if last is None:
        last = now.astimezone(there).date()
    end = _end(last, there)
    if first is None:
        first = (end - QUARTER).astimezone(there).date() - timedelta(days=USUAL - 1)
    start = _start(first, there)
    if end <= start:
        raise Invalid("The period must end after it begins.", details={"to": [_too_early(last)]})
    # By the clocks of the zone, whose days are not all of 24 hours.
    if end.astimezone(there).replace(tzinfo=None) - start.astimezone(there).replace(tzinfo=None) > LONGEST * DAY:
        reason = f"Must not lie more than {LONGEST} days after `from`."
        raise Invalid(f"A period has at most {LONGEST} days.", details={"to": [reason]})
    return Period(start, end, there)


def _too_early(last: Edge) -> str:
    # A last day is in the period; a moment is what the period ends before.
    return "Must lie after `from`." if isinstance(last, datetime) else "Must not lie before `from`."


def _start(edge: Edge, there: ZoneInfo) -> datetime:
    return _quarter_of(edge) if isinstance(edge, datetime) else _midnight(edge, there)


def _end(edge: Edge, there: ZoneInfo) -> datetime:
    if isinstance(edge, datetime):
        return _quarter_of(edge + QUARTER - timedelta(microseconds=1))
    return _midnight(edge + DAY, there)


def _midnight(day: date, there: ZoneInfo) -> datetime:
    # Where the clocks leave midnight out this is the moment at which they do so; where it comes twice, the first one.
    return _quarter_of(datetime.combine(day, time(0), there))


def _quarter_of(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def _steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    while start < end:
        yield start
        start += step
