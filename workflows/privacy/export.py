"""The lists of a person's export that no other area has, each in pages by its own index."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select

from models.bookings import booking_participants
from models.calendar import person_busy
from models.groups import seat_answers, seat_cancellations, waitlist_entries
from models.notifications import Channel, notification_preferences
from models.people import email_changes
from models.reviews import review_permits, reviews
from workflows.catalog.listings import Listing
from workflows.kernel.paging import NEWEST_FIRST, Order, Page, PagedList
from workflows.kernel.records import Record
from workflows.notifications.records import Notification
from workflows.reviews.records import Review


@dataclass(frozen=True, kw_only=True)
class KeptNotification(Notification):
    """A notification of any channel."""

    channel: Channel


@dataclass(frozen=True, kw_only=True)
class KeptSeat(Record):
    """A seat of a group that a person has; `price_amount` is what was paid for it, in minor units."""

    table = booking_participants

    id: UUID
    booking_id: UUID
    price_amount: int
    price_currency: str
    product_id: UUID | None
    bundle_purchase_id: UUID | None
    present: bool | None
    start_time: datetime
    created_at: datetime
    answers: str | None = None  # encrypted


@dataclass(frozen=True, kw_only=True)
class KeptLeftSeat(Record):
    """A seat that a person has left; amounts in minor units."""

    table = seat_cancellations

    id: UUID
    booking_id: UUID
    late: bool
    fee_amount: int
    refund_amount: int
    currency: str
    reason: str | None
    waived_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class KeptWait(Record):
    """A person's place on a waiting list."""

    table = waitlist_entries

    id: UUID
    booking_id: UUID
    offered_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class KeptReview(Review):
    """A review, by the id of its permit, in whose order the reviews of an author are found."""

    permit_id: UUID


def preferences_query(user_id: UUID) -> Select[Any]:
    """The choices that a person made about notifications."""
    chosen = notification_preferences.c
    query = select(chosen.kind, chosen.channel, chosen.wanted, chosen.updated_at).where(chosen.user_id == user_id)
    return query.order_by(chosen.kind, chosen.channel)


def email_changes_query(user_id: UUID) -> Select[Any]:
    """The addresses that a person entered within a day."""
    change = email_changes.c
    query = select(change.email, change.former_email, change.open, change.created_at).where(change.user_id == user_id)
    return query.order_by(change.created_at)


def holds_query(user_id: UUID) -> Select[Any]:
    """The times that a person holds now; there are few."""
    held = person_busy.c
    return select(
        held.hold_id.label("id"),
        held.mentor_profile_id,
        held.held_start.label("start_time"),
        held.held_end.label("end_time"),
        held.expires_at,
        held.created_at,
    ).where(held.held_by_user_id == user_id, held.expires_at > func.now())


def _seats(page: Page, *, user_id: UUID) -> Select[Any]:
    seat = booking_participants.c
    columns = [column for column in KeptSeat.columns() if column.name != "id"]
    said = seat_answers.c
    answers = select(said.answers).where(said.booking_id == seat.booking_id, said.user_id == user_id).scalar_subquery()
    query = select(seat.booking_id.label("id"), *columns, answers.label("answers"))
    query = query.where(seat.user_id == user_id, seat.seat_id.is_not(None))
    return NEWEST_FIRST.select_page(query, page, seat.booking_id)


def _left_seats(page: Page, *, user_id: UUID) -> Select[Any]:
    seat = seat_cancellations.c
    query = select(seat.seat_id.label("id"), *KeptLeftSeat.columns()).where(seat.user_id == user_id)
    return NEWEST_FIRST.select_page(query, page, seat.seat_id)


def _written_reviews(page: Page, *, user_id: UUID) -> Select[Any]:
    permit = review_permits.c
    same = and_(permit.session_id == reviews.c.session_id, permit.mentee_user_id == reviews.c.mentee_user_id)
    query = Review.query().add_columns(permit.id.label("permit_id")).join(review_permits, same)
    return NEWEST_FIRST.select_page(query.where(permit.mentee_user_id == user_id), page, permit.id)


OWN_LISTINGS = PagedList(Listing, of=("mentor_profile_id",))
ALL_NOTIFICATIONS = PagedList(KeptNotification, of=("user_id",))
SEATS = PagedList(KeptSeat, NEWEST_FIRST, _seats)
LEFT_SEATS = PagedList(KeptLeftSeat, NEWEST_FIRST, _left_seats)
WAITS = PagedList(KeptWait, of=("user_id",))
_BY_PERMIT = Order((UUID,), lambda item: (item.permit_id,), NEWEST_FIRST.select_page)
WRITTEN_REVIEWS = PagedList(KeptReview, _BY_PERMIT, _written_reviews)
