"""Request a booking: a draft for the mentor to decide or, on an instant listing, accepted at once."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from models.bookings import BookingStatus
from models.catalog import BookingMode
from workflows.availability.calendar import MentorCalendar
from workflows.availability.check import require_bookable, with_present_calendar
from workflows.bookings.awaiting import await_payment
from workflows.bookings.insert import DEFAULT_BOOKING_POLICY, BookingPolicy, insert_booking
from workflows.bookings.records import Booking
from workflows.catalog.listings import BOOKABLE, Listing, as_held, not_offered
from workflows.events.event_types import BookingAccepted, BookingRequested
from workflows.events.record import record
from workflows.identity.access import require_person, require_purchase
from workflows.identity.actor import Actor
from workflows.kernel.clock import in_utc
from workflows.kernel.errors import Invalid
from workflows.terms.expected_terms import NOTHING_EXPECTED, ExpectedTerms
from workflows.terms.questions import NO_ANSWERS, Answers


def request(
    db: Connection,
    start_time: datetime,
    series_id: UUID | None = None,
    *,
    actor: Actor,
    listing_id: UUID,
    now: datetime,
    end_time: datetime | None = None,
    title: str | None = None,
    notes: str | None = None,
    answers: Answers = NO_ANSWERS,
    external_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    policy: BookingPolicy = DEFAULT_BOOKING_POLICY,
    expected: ExpectedTerms = NOTHING_EXPECTED,
) -> Booking:
    """Book a listing at a time as a mentee; at a time that the mentee holds with it, by the terms of then.

    Args:
        start_time: aware; `end_time`, if given, has to be the one that follows from the listing's duration.
        series_id: of the recurring bookings that it belongs to, whose payment is left to the caller.

    Raises:
        Forbidden: the caller is an operator, without a user of their own.
        NotFound: no such active listing.
        Invalid: a start in the past, an end that is not the listing's, the mentor's own listing; answers that do not
                fit its questions.
        Conflict: as of `require_bookable`; `booking_limit` by open drafts; `slot_taken` of an instant listing;
            `external_id_taken`; `price_changed` and `terms_changed`, for other terms than the expected ones.
    """
    mentee, start = require_person(actor), in_utc(start_time)

    def book() -> Booking:
        listing, calendar = _bookable(db, listing_id, mentee, start, closed_without_hours=policy.closed_without_hours)
        require_purchase(actor, listing.price_amount)
        _require_end(listing, start, end_time)
        kept = answers.kept(listing.questions)
        instant = listing.booking_mode is BookingMode.INSTANT
        require_bookable(db, calendar, listing, start=start, mentee_user_id=mentee, now=now, accepted=instant)
        return insert_booking(
            db,
            {
                "listing_id": listing.id,
                "mentee_user_id": mentee,
                "course_id": listing.course_id,
                "title": title,
                "notes": notes,
                "answers": kept,
                "external_id": external_id,
                "metadata": metadata,
                "series_id": series_id,
            },
            listing,
            mentor_profile_id=listing.mentor_profile_id,
            start_time=start,
            end_time=start + timedelta(minutes=listing.duration_minutes),
            accepted=instant,
            calendar_version=calendar.version,
            policy=policy,
            expected=expected,
        )

    booking = with_present_calendar(db, book)
    if not booking.awaits_payment:
        _record(db, booking, actor, now)
    elif series_id is None:
        booking = await_payment(db, [booking], actor=actor, now=now, pay_within=policy.pay_within)[0]
    return booking


def _record(db: Connection, booking: Booking, actor: Actor, now: datetime) -> None:
    event = BookingAccepted if booking.status is BookingStatus.ACCEPTED else BookingRequested
    record(db, event.about(booking, actor=actor, now=now))


def _bookable(
    db: Connection, listing_id: UUID, mentee: UUID, start: datetime, *, closed_without_hours: bool
) -> tuple[Listing, MentorCalendar]:
    row = BOOKABLE.one_or_none(db, {"listing_id": listing_id, "start_time": start, "mentee_user_id": mentee})
    if row is None:
        raise not_offered(db, "There is no such listing.", listing_id=listing_id)
    if row["user_id"] == mentee:
        raise Invalid("You cannot book your own listing.", details={"listingId": ["is your own listing"]})
    calendar = MentorCalendar.read(row["calendar"], closed_without_hours=closed_without_hours)
    return as_held(Listing.of_values(row), row["held_offer"]), calendar


def _require_end(listing: Listing, start: datetime, end_time: datetime | None) -> None:
    if end_time is not None and in_utc(end_time) - start != timedelta(minutes=listing.duration_minutes):
        raise Invalid(
            f"A session of this listing lasts {listing.duration_minutes} minutes.",
            details={"endTime": [f"must be {listing.duration_minutes} minutes after startTime"]},
        )
