"""Recurring bookings: the times of a series, and how its bookings are made, all or those that can be."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, bindparam, select
from uuid_utils.compat import uuid7

from models.base import enum_literal, sql
from models.bookings import BookingStatus, bookings
from workflows.availability.check import CalendarChanged
from workflows.bookings.actions import cancel, decline
from workflows.bookings.awaiting import await_payment
from workflows.bookings.records import Booking
from workflows.events.record import savepoint
from workflows.identity.access import is_mentor
from workflows.identity.actor import Actor
from workflows.kernel.clock import moment_of, rfc3339
from workflows.kernel.errors import Conflict, Invalid, TermsChanged
from workflows.kernel.locks import LOCK_MENTOR_UNCHANGED, LOCK_PEOPLE, lock_calendar
from workflows.kernel.records import Record

MAX_OCCURRENCES = 52
MAX_WEEKS_APART = 52

_LOCK_PARTIES = sql(f"WITH {LOCK_MENTOR_UNCHANGED}, {LOCK_PEOPLE} SELECT count FROM people")

_UNDECIDED = (BookingStatus.DRAFT, BookingStatus.AWAITING_PAYMENT)
# One that is just being decided on its own is waited for, and left out then.
DRAFTS_OF_SERIES = (
    Booking.query()
    .where(
        bookings.c.series_id == bindparam("series_id"),
        bookings.c.start_time >= bindparam("from_time"),
        bookings.c.status.in_([enum_literal(status) for status in _UNDECIDED]),
    )
    .order_by(bookings.c.start_time)
    .with_for_update(key_share=True)
)


class OnConflict(StrEnum):
    """What becomes of a series when one of its times cannot be booked."""

    FAIL = "fail"  # nothing is booked
    SKIP = "skip"  # the other times are booked


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """How a booking is repeated, by the number of its occurrences or by its last date."""

    count: int | None = None  # how many, the first included
    until: date | None = None  # the last date on which one may start, in the time zone of the series
    every_weeks: int = 1  # how many weeks apart
    on_conflict: OnConflict = OnConflict.FAIL


@dataclass(frozen=True)
class Occurrence:
    """One time of a series."""

    start: datetime  # in UTC
    # False where the clocks skip the wall-clock time on that date; `start` is then as long after the midnight before as
    # on any other day.
    exists: bool = True


@dataclass(frozen=True)
class Skipped:
    """A time of a series that could not be booked, and why."""

    start_time: datetime
    refusal: Conflict


@dataclass(frozen=True)
class Series:
    """What became of the times of a series, each in their order."""

    id: UUID
    made: list[Booking]
    skipped: list[Skipped]


@dataclass(frozen=True, kw_only=True)
class SeriesParties(Record):
    """The parties of a series: all of its bookings have the same mentor and the same mentee.

    `version` is 1: a series itself is never changed.
    """

    table = bookings

    id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    version: int = 1


def series_parties_query(series_id: UUID) -> Select[Any]:
    """The parties of the series of that id."""
    return (
        select(
            bookings.c.series_id.label("id"),
            bookings.c.mentor_profile_id,
            bookings.c.mentee_user_id,
        )
        .where(bookings.c.series_id == series_id)
        .limit(1)
    )


def occurrences(recurrence: Recurrence, first: datetime, time_zone: str) -> list[Occurrence]:
    """The times of a series, which keep the wall-clock time of the first one.

    Args:
        first: the start of the first one, in UTC; taken as it is.
        time_zone: an IANA name. Where its clocks show a time twice, the first of the two is meant.

    Raises:
        Invalid: the last date lies before the first start, or allows more than 52 occurrences.
    """
    there = ZoneInfo(time_zone)
    shown = first.astimezone(there).replace(tzinfo=None, fold=0)
    step = timedelta(weeks=recurrence.every_weeks)
    if recurrence.until is None:
        count = recurrence.count or 1
    else:
        count = (recurrence.until - shown.date()) // step + 1
        if count < 1:
            raise _unusable_end("lies before the first session")
        if count > MAX_OCCURRENCES:
            raise _unusable_end(f"makes more than {MAX_OCCURRENCES} sessions")
    later = [Occurrence(*moment_of(shown + number * step, there)) for number in range(1, count)]
    return [Occurrence(first), *later]


def lock_parties(db: Connection, *, mentor_profile_id: UUID, mentee_user_id: UUID, calendar_version: int) -> None:
    """Lock the calendars of both parties, the mentor's first, before the several bookings of a series are made.

    Raises:
        CalendarChanged: the mentor's calendar has another version by now.
    """
    values = {
        "mentor_profile_id": mentor_profile_id,
        "mentee_user_id": mentee_user_id,
        "calendar_version": calendar_version,
    }
    if db.execute(_LOCK_PARTIES, values).one_or_none() is None:
        raise CalendarChanged(mentor_profile_id)


def book_occurrences(
    db: Connection, times: Sequence[Occurrence], make: Callable[[datetime, UUID], Booking], *, on_conflict: OnConflict
) -> Series:
    """Make the bookings of a series; each that is refused leaves nothing behind.

    Args:
        make: `(start, series_id)`: inserts and pays for one booking, and leaves its event to the caller.

    Raises:
        Conflict: the refusal of the first time that cannot be booked, with `details.occurrences`, all such times:
            with `fail` if there is any, with `skip` if none could be booked. The caller rolls back.
        TermsChanged: the terms are not those that the mentee was shown; the caller rolls back.
    """
    series = Series(uuid7(), [], [])
    for time in times:
        try:
            if not time.exists:
                raise Conflict(code="no_such_time")
            with savepoint(db):
                series.made.append(make(time.start, series.id))
        except TermsChanged:
            # The mentee has to decide on the whole series again.
            raise
        except Conflict as refusal:
            series.skipped.append(Skipped(time.start, refusal))
    if series.skipped and (on_conflict is OnConflict.FAIL or not series.made):
        first = series.skipped[0].refusal
        first.details = (first.details or {}) | times_in_details(each.start_time for each in series.skipped)
        raise first
    return series


def await_payment_of_series(
    db: Connection, series: Series, *, actor: Actor, now: datetime, pay_within: timedelta
) -> Series:
    """Ask for the one payment of a series, where its bookings await one; the series, with it in its bookings.

    Where holds keep other terms for some of them, each that awaits a payment has its own: the payment of a series is
    for all of its bookings.
    """
    waiting = [booking for booking in series.made if booking.awaits_payment]
    is_one = len(waiting) == len(series.made) and len({booking.price_currency for booking in waiting}) == 1
    parts = [waiting] if is_one else [[booking] for booking in waiting]
    about: dict[str, Any] = {"actor": actor, "now": now, "pay_within": pay_within}
    asked = {each.id: each for part in parts for each in await_payment(db, part, **about)}
    return replace(series, made=[asked.get(booking.id, booking) for booking in series.made])


def withdraw_drafts(
    db: Connection, *, actor: Actor, series: SeriesParties, from_time: datetime, reason: str, now: datetime
) -> tuple[list[UUID], list[UUID]]:
    """Cancel the drafts of a series from a time on as its mentee, or decline them as its mentor.

    Those that await their payment are cancelled by whoever asks.

    Returns:
        the ids of those bookings; and those of the drafts that an operator, who decides about none, leaves as they are.
    """
    lock_calendar(db, series.mentor_profile_id)
    rows = db.execute(DRAFTS_OF_SERIES, {"series_id": series.id, "from_time": from_time}).all()
    ended, left = [], []
    for booking in map(Booking.of, rows):
        if actor.operator and not booking.awaits_payment:
            left.append(booking.id)
            continue
        end = decline if is_mentor(actor, series) and not booking.awaits_payment else cancel
        ended.append(end(db, actor=actor, booking=booking, reason=reason, now=now).id)
    return ended, left


def times_in_details(times: Iterable[datetime]) -> dict[str, list[str]]:
    """Times of a series as the details of a refusal."""
    return {"occurrences": [rfc3339(time) for time in times]}


def _unusable_end(reason: str) -> Invalid:
    return Invalid(
        f"Choose an `until` that makes 1 to {MAX_OCCURRENCES} sessions.", details={"recurrence.until": [reason]}
    )
