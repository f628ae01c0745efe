"""Whether a mentor can be booked at a time: the one check of every way into the books, holds included."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from workflows.availability.calendar import MentorCalendar, load_blocks
from workflows.availability.hours import describe_weekday
from workflows.availability.rules import MAX_LEAD_TIME
from workflows.kernel.constraints import BUSY_ELSEWHERE, TIME_OFF
from workflows.kernel.errors import Conflict, Invalid
from workflows.kernel.locks import lock_calendar, share_calendar

Booked = TypeVar("Booked")


class Offer(Protocol):
    """A listing: what it asks of a time."""

    @property
    def duration_minutes(self) -> int: ...

    @property
    def min_notice_minutes(self) -> int: ...

    @property
    def buffer_before_minutes(self) -> int: ...

    @property
    def buffer_minutes(self) -> int: ...


class CalendarChanged(Conflict):
    """The mentor has changed when they can be booked, after their calendar was read for a booking.

    Args:
        shared: whether the booking is a draft, which shares the mentor's lock with others.
    """

    def __init__(self, mentor_profile_id: UUID, *, shared: bool = False) -> None:
        super().__init__("The mentor's availability has just changed; try again.", code="outside_hours")
        self.mentor_profile_id = mentor_profile_id
        self.shared = shared


def with_present_calendar(db: Connection, book: Callable[[], Booked], *, lock: bool = True) -> Booked:
    """Book by a calendar that is read at first, and once more where it has changed since.

    Args:
        book: reads the calendar and books; raises CalendarChanged before it has written anything.
        lock: whether to lock the mentor the second time, after which the calendar does not change.
    """
    try:
        return book()
    except CalendarChanged as changed:
        if lock:
            # A draft that read an old calendar has its share of the lock all the same: two that both went on to the
            # exclusive lock would wait for each other.
            (share_calendar if changed.shared else lock_calendar)(db, changed.mentor_profile_id)
        return book()


def require_bookable(
    db: Connection,
    calendar: MentorCalendar,
    offer: Offer,
    *,
    start: datetime,
    mentee_user_id: UUID,
    now: datetime,
    accepted: bool,
    moved_from: datetime | None = None,
) -> None:
    """Refuse a session that the mentor's rules, notice, time off, hours, outside calendars or limits do not allow.

    Whether the time is booked or held is left to the calendar's constraint.

    Args:
        calendar: read for a stretch of time that holds the session.
        start: in UTC; the buffers may reach beyond hours and into time off.
        accepted: whether the booking is accepted at once: limits are then counted under the mentor's lock.
        moved_from: the present start of a session that moves, which limits do not count.

    Raises:
        Invalid: the start lies in the past.
        Conflict: `beyond_horizon`, `too_soon`, `outside_hours`, `slot_taken` by an outside calendar, with
            `details.calendars` where one is stale and the mentor's rules refuse that, or `booking_limit`.
    """
    require_offered(calendar, offer, start=start, now=now)
    if not calendar.rules.has_limits:
        return
    if accepted:
        lock_calendar(db, calendar.mentor_profile_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    blocks = load_blocks(db, [calendar.mentor_profile_id], *calendar.week_of(start))[calendar.mentor_profile_id]
    if not accepted:
        # A request takes no time, so that it may be made of one that is held.
        blocks = [block for block in blocks if block.hold_id is None]
    if moved_from is not None:
        # A mentor has one session at a time.
        blocks = [block for block in blocks if block.session_start != moved_from]
    if calendar.is_limit_reached(start, mentee_user_id, blocks):
        raise Conflict(
            "The mentor takes no further session on this day or in this week; choose another day.", code="booking_limit"
        )


def require_offered(calendar: MentorCalendar, offer: Offer, *, start: datetime, now: datetime) -> None:
    """The part of `require_bookable` that needs no statement: everything but the limits."""
    require_start(start, now, calendar.rules.horizon)
    if start < now + timedelta(minutes=offer.min_notice_minutes):
        raise Conflict(
            f"Book this listing at least {offer.min_notice_minutes} minutes in advance; choose a later time.",
            code="too_soon",
        )
    end = start + timedelta(minutes=offer.duration_minutes)
    if calendar.has_time_off(start, end):
        raise Conflict(TIME_OFF, code="outside_hours")
    if not calendar.is_open(start, end):
        raise Conflict(describe_weekday(calendar.hours, start, calendar.dates), code="outside_hours")
    if calendar.has_stale_calendars(now):
        raise Conflict(
            "The mentor's other calendars cannot be read at present; try again later.",
            code="slot_taken",
            details={"calendars": ["cannot be read at present"]},
        )
    before, after = timedelta(minutes=offer.buffer_before_minutes), timedelta(minutes=offer.buffer_minutes)
    if calendar.is_busy_elsewhere(start - before, end + after):
        raise Conflict(BUSY_ELSEWHERE, code="slot_taken")


def require_start(start: datetime, now: datetime, horizon: timedelta = MAX_LEAD_TIME) -> None:
    """Refuse a start at which nothing can be booked.

    Raises:
        Invalid: it lies in the past.
        Conflict: `beyond_horizon`.
    """
    if start <= now:
        raise Invalid("A booking must start in the future.", details={"startTime": ["lies in the past"]})
    if start - now > horizon:
        raise Conflict(
            f"The mentor can be booked up to {horizon.days} days ahead; choose an earlier time.", code="beyond_horizon"
        )
