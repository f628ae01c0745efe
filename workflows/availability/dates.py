"""Hours of single dates, which replace a mentor's weekly hours: the record, the list, how they are set and removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Date, Select, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from models.availability import date_hours, weekly_hours
from models.base import sql
from models.people import mentor_profiles
from workflows.availability.changes import raise_version
from workflows.availability.hours import Span, present_of, require_no_overlap
from workflows.identity.access import require_mentor
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, NotFound, Stale
from workflows.kernel.locks import lock_calendar
from workflows.kernel.paging import EARLIEST_DAY_FIRST, PagedList, narrowed
from workflows.kernel.records import Record


@dataclass(frozen=True, kw_only=True)
class CalendarOwner(Record):
    """A mentor as the owner of a calendar."""

    table = mentor_profiles

    mentor_profile_id: UUID
    time_zone: str  # of the weekly hours, else of the profile: a date that is set is a date of this zone
    version: int  # the calendar's, which every change of hours, dates, time off and rules raises


@dataclass(frozen=True, kw_only=True)
class CalendarDay(CalendarOwner):
    """A date of a mentor's calendar."""

    day: date


@dataclass(frozen=True, kw_only=True)
class DateHours(Record):
    """The open periods of one date."""

    table = date_hours

    mentor_profile_id: UUID
    day: date
    time_zone: str  # of the calendar when the hours were set, whose date it is
    # `[opens, closes]` in minutes since midnight, in their order; none on a day on which nothing can be booked.
    spans: list[list[int]]
    version: int  # the calendar's

    @property
    def hours(self) -> list[Span]:
        """The open periods, with the weekday of the date."""
        return [Span(self.day.weekday(), opens, closes) for opens, closes in self.spans]


# Of a mentor: five years and some, past ones included, which stay until they are deleted.
MAX_DATES = 2_000
_COUNT = sql("SELECT count(*) FROM date_hours WHERE mentor_profile_id = :mentor_profile_id")
_TIME_ZONE = func.coalesce(weekly_hours.c.time_zone, mentor_profiles.c.time_zone).label("time_zone")


def calendar_owner_query(mentor_profile_id: UUID) -> Select[Any]:
    """The mentor of that id, as the owner of a calendar."""
    mentor = mentor_profiles.c
    return (
        select(mentor.id.label("mentor_profile_id"), _TIME_ZONE, mentor.calendar_version.label("version"))
        .join_from(mentor_profiles, weekly_hours, present_of(mentor.id), isouter=True)
        .where(mentor.id == mentor_profile_id)
    )


def calendar_day_query(mentor_profile_id: UUID, day: date) -> Select[Any]:
    """That date in the calendar of the mentor of that id."""
    return calendar_owner_query(mentor_profile_id).add_columns(cast(day, Date).label("day"))


def date_hours_query(*, from_day: date | None = None, to_day: date | None = None) -> Select[Any]:
    """The dates that have hours of their own.

    Args:
        from_day: this date and later ones.
        to_day: this date and earlier ones.
    """
    mentor, own = mentor_profiles.c, date_hours.c
    query = select(
        own.mentor_profile_id, own.day, own.time_zone, own.spans, mentor.calendar_version.label("version")
    ).join_from(date_hours, mentor_profiles, mentor.id == own.mentor_profile_id)
    return narrowed(query, (from_day, lambda: own.day >= from_day), (to_day, lambda: own.day <= to_day))


DATES = PagedList(DateHours, EARLIEST_DAY_FIRST, rows=date_hours_query, of=("mentor_profile_id",))


def set_date_hours(
    db: Connection,
    *,
    actor: Actor,
    seen: CalendarDay,
    spans: Sequence[tuple[int, int]],
    now: datetime,
    any_version: bool = False,
) -> DateHours:
    """Replace the weekly hours on one date; existing bookings and requests stay. Equal hours change nothing.

    The date is of the present zone of the calendar, and keeps it when the zone of hours or profile changes.

    Args:
        spans: in any order; without any, nothing can be booked on that date.
        any_version: the caller decided on no version in particular.

    Raises:
        Forbidden: another mentor's date.
        Invalid: two spans overlap.
        Stale: the calendar has changed since it was read.
        Conflict: `quota_reached`, as many dates have hours as there may be.
    """
    require_mentor(actor, seen)
    require_no_overlap([Span(0, *span) for span in spans], [f"{seen.day:%-d %B %Y}"])
    owner, day = _locked(db, seen, any_version), seen.day
    wanted = [list(span) for span in sorted(spans)]
    found = date_hours.c
    own = select(found.time_zone, found.spans)
    own = own.where(found.mentor_profile_id == owner.mentor_profile_id, found.day == day)
    before = db.execute(own).one_or_none()
    version = owner.version
    if before is None and db.scalar(_COUNT, {"mentor_profile_id": owner.mentor_profile_id}) >= MAX_DATES:
        raise Conflict(
            f"A mentor has hours of their own on at most {MAX_DATES} dates; delete some that have passed first.",
            code="quota_reached",
        )
    if before != (owner.time_zone, wanted):
        values = {"time_zone": owner.time_zone, "spans": wanted}
        new = insert(date_hours).values(mentor_profile_id=owner.mentor_profile_id, day=day, **values)
        db.execute(new.on_conflict_do_update(index_elements=["mentor_profile_id", "day"], set_=values))
        version = raise_version(db, owner.mentor_profile_id, changed="dates", actor=actor, now=now)
    return DateHours(
        mentor_profile_id=owner.mentor_profile_id, day=day, time_zone=owner.time_zone, spans=wanted, version=version
    )


def remove_date_hours(
    db: Connection, *, actor: Actor, seen: CalendarDay, now: datetime, any_version: bool = False
) -> None:
    """Let the weekly hours hold on a date again.

    Raises:
        Forbidden: another mentor's date.
        NotFound: the date has no hours of its own.
        Stale: the calendar has changed since it was read.
    """
    require_mentor(actor, seen)
    owner, day = _locked(db, seen, any_version), seen.day
    found = date_hours.c
    gone = delete(date_hours).where(found.mentor_profile_id == owner.mentor_profile_id, found.day == day)
    if not db.execute(gone).rowcount:
        raise NotFound("This date has no hours of its own.")
    raise_version(db, owner.mentor_profile_id, changed="dates", actor=actor, now=now)


def _locked(db: Connection, seen: CalendarOwner, any_version: bool) -> CalendarOwner:
    lock_calendar(db, seen.mentor_profile_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    owner = CalendarOwner.of(db.execute(calendar_owner_query(seen.mentor_profile_id)).one())
    if not any_version and owner.version != seen.version:
        raise Stale("calendar")
    return owner
