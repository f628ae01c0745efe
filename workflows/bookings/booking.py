"""Bookings: the record, and how to find bookings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, select, union_all

from models.base import enum_literal
from models.bookings import BookingKind, BookingStatus, bookings
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

    @property
    def duration_minutes(self) -> int:
        """From start to end, in minutes."""
        return int((self.end_time - self.start_time).total_seconds() // 60)


BOOKING_BY_ID = Booking.query().where(bookings.c.id == bindparam("id"))


def booking_query(booking_id: UUID) -> Select[Any]:
    """The booking of that id."""
    return Booking.query().where(bookings.c.id == booking_id)


def awaited_booking_query(session_id: UUID) -> Select[Any]:
    """The accepted booking whose session will have, or has, that id."""
    return Booking.query().where(bookings.c.session_id == session_id)


def bookings_query(
    page: Page,
    *,
    mentee_user_id: UUID | None = None,
    mentor_profile_id: UUID | None = None,
    status: BookingStatus | None = None,
) -> Select[Any]:
    """The bookings of a mentee, of a mentor, or of both of these together; the latest start first."""
    parties = []
    if mentee_user_id is not None:
        parties.append(bookings.c.mentee_user_id == mentee_user_id)
    if mentor_profile_id is not None:
        parties.append(bookings.c.mentor_profile_id == mentor_profile_id)
    if not parties:
        raise ValueError("A list of bookings is limited to a mentee, a mentor or both.")
    # A page of each party by its own index: an OR would scan the bookings of all people in their order.
    pages = [_page_of(page, party, status) for party in parties]
    if len(pages) == 1:
        return pages[0]
    of_either = union_all(pages[0], pages[1].where(parties[0].is_not(True))).subquery("of_either")
    return select(of_either).order_by(of_either.c.start_time.desc(), of_either.c.id).limit(page.limit + 1)


def _page_of(page: Page, party: ColumnElement[bool], status: BookingStatus | None) -> Select[Any]:
    query = Booking.query().where(party)
    if status is not None:
        query = query.where(bookings.c.status == enum_literal(status))
    return LATEST_START_FIRST.select_page(query, page, bookings.c.start_time, bookings.c.id)


BOOKINGS = PagedList(Booking, LATEST_START_FIRST, bookings_query)
