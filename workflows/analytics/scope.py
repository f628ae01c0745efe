"""The scope of a report: a period of whole quarters of an hour on the clocks of a zone, a mentor and a course."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, FromClause, Interval, Text, Uuid, and_, case, cast, func, literal, true

from models.base import Timestamp
from models.bookings import bookings
from models.sessions import sessions
from workflows.identity.access import require_mentor_id
from workflows.identity.actor import Actor
from workflows.kernel.clock import zone
from workflows.kernel.errors import Invalid

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
MAX_PERIOD_DAYS = 366
MAX_PERIOD_DAYS_BY_HOUR = 31
DEFAULT_PERIOD_DAYS = 30
# Largest difference between the clock of a process, which writes `started_at`, and the database's of `updated_at`.
CLOCK_SKEW = DAY

Edge = date | datetime


@dataclass(frozen=True)
class Period:
    """From `start` to before `end`, in UTC and at quarters of an hour, on the clocks of `zone`."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    def covers(self, moment: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(moment >= inlined(self.start), moment < inlined(self.end))

    def covers_session(self, moment: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a moment of a session's life lies in the period.

        Such a row has changed since the period began: `ix_sessions_updated_at_id` passes all older history over.
        """
        return and_(sessions.c.updated_at >= inlined(self.start - CLOCK_SKEW), self.covers(moment))

    def covers_booking(self, moment: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a moment of a booking's life lies in the period; the same of `ix_bookings_updated_at_id`."""
        return and_(bookings.c.updated_at >= inlined(self.start), self.covers(moment))

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

    def local_time(self, moment: ColumnElement[Any]) -> ColumnElement[Any]:
        """The wall-clock time of the zone at a moment in the period.

        The offsets come with the query: PostgreSQL's list of time zones may be older than Python's.
        """
        since, offsets = zip(*self.offsets(), strict=True)
        utc, last = func.timezone("UTC", moment), literal(offsets[-1], Interval)
        before_change = [
            (moment < literal(change, Timestamp), literal(offset, Interval))
            for change, offset in zip(since[1:], offsets[:-1], strict=True)
        ]
        return utc + (case(*before_change, else_=last) if before_change else last)

    def local_day(self, moment: ColumnElement[Any]) -> ColumnElement[Any]:
        """The day in the zone of a moment in the period."""
        return cast(self.local_time(moment), Date)

    def local_hour(self, moment: ColumnElement[Any]) -> ColumnElement[Any]:
        """When the zone's hour of a moment in the period began: in UTC, where no hour comes twice."""
        clock = self.local_time(moment)
        return moment - (clock - func.date_trunc(literal("hour", Text), clock))

    def require_at_most(self, days: int) -> None:
        """Raise Invalid for a longer period, by the clocks of the zone, whose days are not all of 24 hours."""
        start, end = (edge.astimezone(self.zone).replace(tzinfo=None) for edge in (self.start, self.end))
        if end - start > days * DAY:
            reason = f"Must not lie more than {days} days after `from`."
            raise Invalid(f"A period has at most {days} days.", details={"to": [reason]})

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The mentor and the course of a report; None for every mentor, or for every course and sessions without one."""

    mentor_profile_id: UUID | None = None
    course_id: UUID | None = None

    def covers(self, table: FromClause) -> ColumnElement[bool]:
        wanted = {"mentor_profile_id": self.mentor_profile_id, "course_id": self.course_id}
        return and_(true(), *(table.c[name] == inlined(id) for name, id in wanted.items() if id is not None))


def inlined(value: datetime | UUID) -> ColumnElement[Any]:
    """The value as a literal in the statement: of a month and of a year the best plans differ, and ours are generic."""
    return literal(value, Timestamp if isinstance(value, datetime) else Uuid(), literal_execute=True)


def scope_of(actor: Actor, *, mentor_profile_id: UUID | None = None, course_id: UUID | None = None) -> Scope:
    """The scope that the caller may see: mentors their own numbers alone, operators everything.

    Raises:
        Forbidden: the caller is a mentor who names another one, existing or not; or no mentor at all.
    """
    wanted = mentor_profile_id or actor.mentor_profile_id
    require_mentor_id(actor, wanted, "Mentors see their own numbers alone.")
    return Scope(mentor_profile_id=wanted, course_id=course_id)


def period_of(first: Edge | None, last: Edge | None, time_zone: str, *, now: datetime) -> Period:
    """The period between two edges.

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
        first = (end - QUARTER).astimezone(there).date() - timedelta(days=DEFAULT_PERIOD_DAYS - 1)
    start = _start(first, there)
    if end <= start:
        raise Invalid("The period must end after it begins.", details={"to": [_too_early(last)]})
    period = Period(start, end, there)
    period.require_at_most(MAX_PERIOD_DAYS)
    return period


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
