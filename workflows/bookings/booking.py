"""Bookings: the record, and how to find bookings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, select, union_all

from models.base import enum_literal
from models.bookings import BookingKind, BookingStatus, booking_participants, bookings
from workflows.identity.parties import participant_ids, shown_parties
from workflows.paging import LATEST_START_FIRST, Page, PagedList
from workflows.transitions import StatefulRecord


@dataclass(frozen=True, kw_only=True)
class Booking(StatefulRecord):
    """One mentor, one time, one listing, and where the decision stands. Times in UTC, money in minor units.

    A group has no listing and no mentee. Buffers, early start, cancellation and reminders are the terms of the listing
    or the group's template as they were when it was requested.
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
    metadata: dict[str, Any] | None
    price_amount: int
    price_currency: str
    product_id: UUID | None
    bundle_purchase_id: UUID | None
    series_id: UUID | None
    buffer_before_minutes: int
    buffer_minutes: int
    early_start_minutes: int | None
    cancellation_window_hours: int | None
    late_fee_percent: int
    reminder_minutes: list[int] | None
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

    @property
    def duration_minutes(self) -> int:
        """From start to end, in minutes."""
        return int((self.end_time - self.start_time).total_seconds() // 60)


_PARTICIPANT_IDS = participant_ids(bookings, bookings.c.id)
_PARTIES = shown_parties("bookings")
BOOKING_BY_ID = Booking.query().where(bookings.c.id == bindparam("id"))


def booking_query(booking_id: UUID) -> Select[Any]:
    """The booking of that id, with a group's participants, and its parties as they are shown."""
    return Booking.query().add_columns(_PARTICIPANT_IDS, *_PARTIES).where(bookings.c.id == booking_id)


def awaited_booking_query(session_id: UUID) -> Select[Any]:
    """The accepted booking whose session will have, or has, that id, with a group's participants."""
    return Booking.query().add_columns(_PARTICIPANT_IDS).where(bookings.c.session_id == session_id)


def bookings_query(
    page: Page,
    *,
    mentee_user_id: UUID | None = None,
    mentor_profile_id: UUID | None = None,
    status: BookingStatus | None = None,
) -> Select[Any]:
    """The bookings of a mentee, their groups' among them, of a mentor, or of both together; the latest start first."""
    # Pages by an index each: an OR would scan the bookings of all people in their order.
    shown = Booking.query().add_columns(*_PARTIES)
    pages: list[Select[Any]] = []
    if mentee_user_id is not None:
        seat = booking_participants.c
        joined = shown.join_from(booking_participants, bookings, bookings.c.id == seat.booking_id)
        joined = joined.where(seat.user_id == mentee_user_id, seat.seat_id.is_not(None))
        pages.append(_page_of(page, shown.where(bookings.c.mentee_user_id == mentee_user_id), status))
        pages.append(_page_of(page, joined, status, seat.start_time))
    if mentor_profile_id is not None:
        # A mentor takes no seat in a group of their own.
        led = shown.where(bookings.c.mentor_profile_id == mentor_profile_id)
        if mentee_user_id is not None:
            led = led.where((bookings.c.mentee_user_id == mentee_user_id).is_not(True))
        pages.append(_page_of(page, led, status))
    if not pages:
        raise ValueError("A list of bookings is limited to a mentee, a mentor or both.")
    if len(pages) == 1:
        return pages[0]
    of_any = union_all(*pages).subquery("of_any")
    return select(of_any).order_by(of_any.c.start_time.desc(), of_any.c.id).limit(page.limit + 1)


def _page_of(
    page: Page, query: Select[Any], status: BookingStatus | None, start: ColumnElement[Any] = bookings.c.start_time
) -> Select[Any]:
    if status is not None:
        query = query.where(bookings.c.status == enum_literal(status))
    return LATEST_START_FIRST.select_page(query, page, start, bookings.c.id)


BOOKINGS = PagedList(Booking, LATEST_START_FIRST, bookings_query)
