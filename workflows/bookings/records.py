"""Bookings: the record, and how to find bookings."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Integer, Select, Text, bindparam, literal_column, select

from models.base import enum_literal, is_one_of
from models.bookings import BookingKind, BookingStatus, booking_participants, bookings
from models.sessions import SessionStatus
from workflows.catalog.booked import shown_offer
from workflows.identity.parties import bookings_of_person, of_people, participant_ids, shown_parties
from workflows.kernel.paging import (
    EARLIEST_START_FIRST,
    LATEST_START_FIRST,
    LEAST_RECENTLY_CHANGED_FIRST,
    NO_TIME,
    Order,
    Page,
    PagedList,
    narrowed,
)
from workflows.kernel.records import ExternalRecord
from workflows.kernel.transitions import StatefulRecord
from workflows.payments.records import Payment, shown_payment
from workflows.terms.terms import Terms


@dataclass(frozen=True, kw_only=True)
class Booking(StatefulRecord, ExternalRecord, Terms):
    """One mentor, one time, one listing, and where the decision stands. Times in UTC, money in minor units.

    A group has no listing and no mentee.
    """

    table = bookings

    listing_id: UUID | None
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    course_id: UUID | None
    kind: BookingKind
    start_time: datetime
    end_time: datetime
    status: BookingStatus
    title: str | None
    notes: str | None
    answers: str | None
    product_id: UUID | None
    bundle_purchase_id: UUID | None
    series_id: UUID | None
    session_id: UUID | None
    decline_reason: str | None
    cancel_reason: str | None
    created_at: datetime
    updated_at: datetime
    # Of a group that was read with them.
    participant_ids: list[UUID] | None = None
    # As it was read to be shown.
    mentor: dict[str, Any] | None = None
    mentee: dict[str, Any] | None = None
    listing: dict[str, Any] | None = None
    course: dict[str, Any] | None = None
    session_status: str | None = None  # None until the session exists
    payment: Payment | None = None

    @property
    def awaits_payment(self) -> bool:
        """Whether it waits for its payment; either party can cancel it then."""
        return self.status is BookingStatus.AWAITING_PAYMENT

    @property
    def awaited_payment(self) -> bool:
        """Whether it was accepted by its payment."""
        return self.status is BookingStatus.ACCEPTED and self.is_prepaid and self.kind is BookingKind.INDIVIDUAL

    @property
    def duration_minutes(self) -> int:
        """From start to end, in minutes."""
        return int((self.end_time - self.start_time).total_seconds() // 60)

    @property
    def shows_place(self) -> bool:
        """Whether the mentor's address or number is shown: once it is accepted, until its session is cancelled."""
        return self.status is BookingStatus.ACCEPTED and self.session_status != SessionStatus.CANCELLED

    @property
    def session(self) -> dict[str, str] | None:
        """The session as it is shown with its booking; None until it exists."""
        return {"id": str(self.session_id), "status": self.session_status} if self.session_status else None


@dataclass(frozen=True, kw_only=True)
class ListedBooking(Booking):
    """A booking in a list; `seat_counts` of a group are its capacity, and how many seats are taken and offered."""

    seat_counts: list[int] | None

    @property
    def seats(self) -> dict[str, Any] | None:
        """The seats of a group as they are shown; None for an individual booking."""
        if self.seat_counts is None:
            return None
        capacity, taken, offered = self.seat_counts
        return {"capacity": capacity, "taken": taken, "full": taken + offered >= capacity}


# Looked up by their key, for the groups of a page alone.
_SEAT_COUNTS: ColumnElement[Any] = literal_column(
    "CASE WHEN bookings.kind = 'group' THEN (SELECT ARRAY[g.capacity, g.seats_taken, g.seats_offered]"
    " FROM group_sessions g WHERE g.booking_id = bookings.id) END",
    ARRAY(Integer),
).label("seat_counts")
_PARTICIPANT_IDS = participant_ids(bookings, bookings.c.id)
# An accepted booking stays so when its session is cancelled.
SHOWN_WITH_BOOKING = [
    *shown_parties("bookings"),
    *shown_offer("bookings"),
    literal_column("(SELECT CAST(s.status AS text) FROM sessions s WHERE s.id = bookings.session_id)", Text).label(
        "session_status"
    ),
    shown_payment("bookings"),
]
BOOKING_BY_ID = Booking.query().where(bookings.c.id == bindparam("id"))


def booking_query(booking_id: UUID) -> Select[Any]:
    """The booking of that id, with a group's participants, and its parties as they are shown."""
    return Booking.query().add_columns(_PARTICIPANT_IDS, *SHOWN_WITH_BOOKING).where(bookings.c.id == booking_id)


def awaited_booking_query(session_id: UUID) -> Select[Any]:
    """The accepted booking whose session will have, or has, that id, with a group's participants."""
    return Booking.query().add_columns(_PARTICIPANT_IDS).where(bookings.c.session_id == session_id)


def bookings_query(
    page: Page,
    *,
    mentee_user_id: UUID | None = None,
    mentor_profile_id: UUID | None = None,
    order: Order = LATEST_START_FIRST,
    **filters: Any,
) -> Select[Any]:
    """The bookings of a mentee, their groups' among them, of a mentor, or of both together.

    Args:
        filters: as of `narrow_bookings`.
    """
    shown = Booking.query().add_columns(*SHOWN_WITH_BOOKING, _SEAT_COUNTS)
    keys = select(bookings.c.id, bookings.c.start_time)

    def page_of(query: Select[Any], start: ColumnElement[Any] = bookings.c.start_time) -> Select[Any]:
        return order.select_page(narrow_bookings(query, start, **filters), page, start, bookings.c.id)

    if mentee_user_id is None:
        if mentor_profile_id is None:
            raise ValueError("A list of bookings is limited to a mentee, a mentor or both.")
        return page_of(shown.where(bookings.c.mentor_profile_id == mentor_profile_id))
    # Pages of keys by an index each: an OR would scan the bookings of all people in their order.
    seat = booking_participants.c
    joined = keys.join_from(booking_participants, bookings, bookings.c.id == seat.booking_id)
    joined = joined.where(seat.user_id == mentee_user_id, seat.seat_id.is_not(None))
    pages = [page_of(keys.where(bookings.c.mentee_user_id == mentee_user_id)), page_of(joined, seat.start_time)]
    if mentor_profile_id is not None:
        # A mentor takes no seat in a group of their own.
        led = keys.where(bookings.c.mentor_profile_id == mentor_profile_id)
        pages.append(page_of(led.where((bookings.c.mentee_user_id == mentee_user_id).is_not(True))))
    return order.select_union(pages, page, shown, bookings.c.start_time, bookings.c.id)


def narrow_bookings(
    query: Select[Any],
    start: ColumnElement[Any],
    *,
    status: Any = None,
    kind: Any = None,
    listing_id: UUID | None = None,
    course_id: UUID | None = None,
    with_user_id: UUID | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    updated_since: datetime | None = None,
    external_id: str | None = None,
) -> Select[Any]:
    """Those that fit every filter that is given.

    Args:
        status: a BookingStatus, or several.
        kind: a BookingKind.
        with_user_id: the mentee.
        to_time: excluded, unlike `from_time`.
    """
    booking = bookings.c
    # Spelled so that no index but the one of the party's own bookings can serve: others find everyone's.
    return narrowed(
        query,
        (external_id, lambda: booking.external_id == external_id),
        (status, lambda: is_one_of(booking.status, status)),
        (kind, lambda: booking.kind == enum_literal(kind)),
        (listing_id, lambda: booking.listing_id.is_not_distinct_from(listing_id)),
        (course_id, lambda: booking.course_id.is_not_distinct_from(course_id)),
        (with_user_id, lambda: booking.mentee_user_id == with_user_id),
        (from_time, lambda: start >= from_time),
        (to_time, lambda: start < to_time),
        (updated_since, lambda: booking.updated_at + NO_TIME >= updated_since),
    )


def all_bookings_query(
    page: Page,
    *,
    order: Order = LATEST_START_FIRST,
    mentor_profile_id: UUID | None = None,
    with_user_id: Any = None,
    listing_id: UUID | None = None,
    course_id: UUID | None = None,
    updated_since: datetime | None = None,
    q: Any = None,
    **filters: Any,
) -> Select[Any]:
    """Everyone's bookings, for staff; unlike a party's, each filter finds its rows by an index of its own.

    Args:
        with_user_id: the mentee, or a participant.
        q: what the name or the mail address of a party begins with.
        filters: as of `narrow_bookings`.
    """
    booking = bookings.c
    query = narrowed(
        Booking.query().add_columns(*SHOWN_WITH_BOOKING, _SEAT_COUNTS),
        (mentor_profile_id, lambda: booking.mentor_profile_id == mentor_profile_id),
        (with_user_id, lambda: booking.id == bookings_of_person(with_user_id)),
        (listing_id, lambda: booking.listing_id == listing_id),
        (course_id, lambda: booking.course_id == course_id),
        (updated_since, lambda: booking.updated_at >= updated_since),
        (q, lambda: of_people(q, booking.id, booking.mentor_profile_id)),
    )
    key = booking.updated_at if order is LEAST_RECENTLY_CHANGED_FIRST else booking.start_time
    return order.select_page(narrow_bookings(query, booking.start_time, **filters), page, key, booking.id)


ALL_BOOKINGS = {
    order: PagedList(ListedBooking, order, partial(all_bookings_query, order=order), narrows=True)
    for order in (LATEST_START_FIRST, EARLIEST_START_FIRST, LEAST_RECENTLY_CHANGED_FIRST)
}
BOOKINGS = PagedList(ListedBooking, LATEST_START_FIRST, bookings_query, narrows=True)
NEXT_BOOKINGS = PagedList(
    ListedBooking, EARLIEST_START_FIRST, partial(bookings_query, order=EARLIEST_START_FIRST), narrows=True
)
