"""Schedule a template: one accepted booking of a group for each of its dates in a period, and how many seats it has."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select

from models.base import sql
from models.bookings import BookingKind
from models.groups import group_sessions
from workflows.availability.rules import MAX_LEAD_TIME
from workflows.bookings.insert import insert_booking
from workflows.bookings.records import Booking
from workflows.events.event_types import BookingAccepted
from workflows.events.record import record
from workflows.groups.templates import GroupTemplate, require_teaches
from workflows.identity.access import require_mentor_or_operator
from workflows.identity.actor import Actor
from workflows.kernel.clock import moment_of
from workflows.kernel.errors import Conflict, Invalid
from workflows.kernel.locks import lock_calendar

MAX_DAYS = 366
WEEK_DAYS = 7

# What of the mentor's calendar overlaps a time, with the buffer after it; a hold counts until it expires.
_BUSY = sql("""
SELECT coalesce(booking_id, hold_id) FROM person_busy
WHERE user_id = (SELECT user_id FROM mentor_profiles WHERE id = :mentor_profile_id)
  AND busy && tstzrange(CAST(:start AS timestamptz), CAST(:buffered_end AS timestamptz))
  AND (expires_at IS NULL OR expires_at > now())
ORDER BY lower(busy) LIMIT 1
""")
_TIME_OFF = sql("""
SELECT id FROM time_off
WHERE mentor_profile_id = :mentor_profile_id
  AND end_time > CAST(:start AS timestamptz) AND start_time < CAST(:end AS timestamptz)
ORDER BY start_time LIMIT 1
""")


@dataclass(frozen=True)
class ScheduledDate:
    """A date that has a booking now."""

    date: date
    booking_id: UUID


@dataclass(frozen=True)
class OmittedDate:
    """A date that was left out.

    Skipped, as it `exists` already, has `no_such_time` in the template's zone, or is `past`; or in conflict:
    `slot_taken` by the booking or hold of that id, or `outside_hours` in that time off.
    """

    date: date
    code: str
    in_the_way: UUID | None = None


@dataclass(frozen=True)
class Schedule:
    """What became of each date of a period, each list in the order of dates."""

    made: list[ScheduledDate] = field(default_factory=list)
    conflicts: list[OmittedDate] = field(default_factory=list)
    skipped: list[OmittedDate] = field(default_factory=list)


def schedule(
    db: Connection, *, actor: Actor, template: GroupTemplate, first: date, last: date, now: datetime
) -> Schedule:
    """Make a group of each date of a template in a period; each date succeeds or fails by itself.

    The mentor's calendar decides, not their weekly hours. A date is made once, and again after its cancellation.

    Args:
        first: in the template's zone, as `last`, which is included.

    Raises:
        Forbidden: another mentor's template.
        NotFound: the mentor or the course is no longer active.
        Invalid: a period that ends before it begins, is longer than a year or lies more than five years ahead;
            `mentor_does_not_teach` the course any more.
        Conflict: `template_inactive`.
    """
    require_mentor_or_operator(actor, template)
    _require_period(template, first, last, now)
    if not template.active:
        raise Conflict(code="template_inactive")
    require_teaches(db, template.mentor_profile_id, template.course_id)
    # Before the look at what exists: another schedule of this mentor's templates waits until this one is committed.
    lock_calendar(db, template.mentor_profile_id)
    existing = _existing_dates(db, template, first, last)
    result = Schedule()
    accepted: list[Booking] = []
    for day in dates_of(template, first, last):
        start = start_of(template, day)
        reason = _reason_to_skip(day, start, existing, now)
        if start is None or reason is not None:
            result.skipped.append(OmittedDate(day, reason or "no_such_time"))
            continue
        try:
            with db.begin_nested():
                booking = _make(db, template, day, start)
        except Conflict as conflict:
            in_the_way = _in_the_way(db, template, start, conflict.code)
            result.conflicts.append(OmittedDate(day, conflict.code, in_the_way))
        else:
            result.made.append(ScheduledDate(day, booking.id))
            accepted.append(booking)
    if accepted:
        record(db, *(BookingAccepted.about(booking, actor=actor, now=now) for booking in accepted))
    return result


def dates_of(template: GroupTemplate, first: date, last: date) -> Iterator[date]:
    """The dates of the template's weekday, both ends of the period included."""
    day = first + timedelta(days=(template.weekday - first.weekday()) % WEEK_DAYS)
    while day <= last:
        yield day
        day += timedelta(days=WEEK_DAYS)


def start_of(template: GroupTemplate, day: date) -> datetime | None:
    """When the group of that date starts, in UTC: the first of two such times; None where the clocks skip it."""
    start, exists = moment_of(datetime.combine(day, template.start_time), ZoneInfo(template.time_zone))
    return start if exists else None


def _require_period(template: GroupTemplate, first: date, last: date, now: datetime) -> None:
    if last < first:
        raise Invalid("A period must not end before it begins.", details={"to": ["Must not be before `from`."]})
    if last - first >= timedelta(days=MAX_DAYS):
        raise Invalid(
            f"Schedule at most {MAX_DAYS} days at once.", details={"to": [f"More than {MAX_DAYS} days from `from` on."]}
        )
    if last > (now + MAX_LEAD_TIME).astimezone(ZoneInfo(template.time_zone)).date():
        raise Invalid("A group session must start within the next five years.", details={"to": ["Lies too far ahead."]})


def _existing_dates(db: Connection, template: GroupTemplate, first: date, last: date) -> set[date]:
    group = group_sessions.c
    of_template = (group.template_id == template.id, group.cancelled_at.is_(None))
    return set(db.scalars(select(group.occurs_on).where(*of_template, group.occurs_on.between(first, last))))


def _reason_to_skip(day: date, start: datetime | None, existing: set[date], now: datetime) -> str | None:
    if day in existing:
        return "exists"
    if start is None:
        return "no_such_time"
    return "past" if start <= now else None


def _make(db: Connection, template: GroupTemplate, day: date, start: datetime) -> Booking:
    values: dict[str, Any] = {
        "course_id": template.course_id,
        "title": template.title,
        "product_id": template.product_id,
    }
    booking = insert_booking(
        db,
        values,
        template,
        mentor_profile_id=template.mentor_profile_id,
        start_time=start,
        end_time=start + timedelta(minutes=template.duration_minutes),
        kind=BookingKind.GROUP,
        accepted=True,
    )
    group = {"booking_id": booking.id, "template_id": template.id, "occurs_on": day, "capacity": template.capacity}
    db.execute(insert(group_sessions).values(group))
    return booking


def _in_the_way(db: Connection, template: GroupTemplate, start: datetime, code: str) -> UUID | None:
    end = start + timedelta(minutes=template.duration_minutes)
    wanted = {
        "mentor_profile_id": template.mentor_profile_id,
        "start": start,
        "end": end,
        "buffered_end": end + timedelta(minutes=template.buffer_minutes),
    }
    found: UUID | None = db.execute(_BUSY if code == "slot_taken" else _TIME_OFF, wanted).scalar_one_or_none()
    return found
