"""Request a booking: a draft for the mentor to decide or, on an instant listing, accepted at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.bookings import BookingKind, BookingStatus
from models.catalog import BookingMode
from models.sessions import session_id_of
from workflows.availability.busy import BLOCK_TIME, LOCK_MENTOR
from workflows.availability.hours import Hours, describe_weekday
from workflows.availability.open_times import is_open
from workflows.bookings.booking import Booking
from workflows.catalog.listings import BOOKABLE, Listing
from workflows.clock import in_utc
from workflows.constraints import constraint_errors
from workflows.errors import Conflict, Forbidden, Invalid, NotFound
from workflows.events.event_types import BookingAccepted, BookingRequested
from workflows.events.record import record
from workflows.identity.actor import Actor

MAX_LEAD_TIME = timedelta(days=5 * 366)
# Every route that makes a booking ends in this insert, with the terms of the listing as they are at this moment.
_INSERT = """
booking AS (
    INSERT INTO bookings (
        id, listing_id, mentor_profile_id, mentee_user_id, course_id, kind, start_time, end_time, status,
        title, notes, metadata, price_amount, price_currency, buffer_minutes, session_id
    )
    SELECT CAST(:id AS uuid), CAST(:listing_id AS uuid), CAST(:mentor_profile_id AS uuid),
           CAST(:mentee_user_id AS uuid), CAST(:course_id AS uuid), CAST(:kind AS booking_kind),
           CAST(:start_time AS timestamptz), CAST(:end_time AS timestamptz), CAST(:status AS booking_status),
           :title, :notes, CAST(:metadata AS jsonb),
           :price_amount, :price_currency, :buffer_minutes, CAST(:session_id AS uuid)
    {source}
    RETURNING *
),
joined AS (
    INSERT INTO booking_participants (booking_id, user_id)
    SELECT id, mentee_user_id FROM booking WHERE mentee_user_id IS NOT NULL
)
"""
# By name: the order of `RETURNING *` is the one in which migrations added the columns.
_COLUMNS = ", ".join(column.name for column in Booking.columns())
_METADATA = bindparam("metadata", type_=JSONB(none_as_null=True))
_DRAFT = (
    text(f"WITH {_INSERT.format(source='')} SELECT {_COLUMNS} FROM booking")
    .bindparams(_METADATA)
    .columns(*Booking.columns())
)
_ACCEPTED = (
    text(f"WITH {LOCK_MENTOR}, {_INSERT.format(source='FROM mentor')}, {BLOCK_TIME} SELECT {_COLUMNS} FROM booking")
    .bindparams(_METADATA)
    .columns(*Booking.columns())
)


def request(
    db: Connection,
    *,
    actor: Actor,
    listing_id: UUID,
    start_time: datetime,
    now: datetime,
    end_time: datetime | None = None,
    title: str | None = None,
    notes: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Booking:
    """Book a listing at a time as a mentee.

    Args:
        start_time: aware; the end follows from the listing's duration.
        end_time: may be given, and must then be that very end.
        metadata: the client's own, copied to the session.

    Raises:
        Forbidden: the caller is an operator, without a user of their own.
        NotFound: no such active listing.
        Invalid: a start in the past or too far ahead, an end that is not the listing's, the mentor's own listing.
        Conflict: `too_soon` within the listing's notice; `outside_hours` of the mentor; for an instant listing
            `slot_taken`.
    """
    if actor.user_id is None:
        raise Forbidden("Only a user can book a session.")
    listing, hours = _bookable(db, listing_id, actor)
    start = in_utc(start_time)
    _require_notice(listing, start, now)
    end = _end_of(listing, start, end_time)
    if not is_open(hours, start, end):
        raise Conflict(describe_weekday(hours, start), code="outside_hours")
    instant = listing.booking_mode is BookingMode.INSTANT
    booking_id = uuid7()
    values = {
        "id": booking_id,
        "status": BookingStatus.ACCEPTED if instant else BookingStatus.DRAFT,
        "listing_id": listing.id,
        "mentor_profile_id": listing.mentor_profile_id,
        "mentee_user_id": actor.user_id,
        "course_id": listing.course_id,
        "kind": BookingKind.INDIVIDUAL,
        "start_time": start,
        "end_time": end,
        "title": title,
        "notes": notes,
        "metadata": metadata,
        "price_amount": listing.price_amount,
        "price_currency": listing.price_currency,
        "buffer_minutes": listing.buffer_minutes,
        "session_id": session_id_of(booking_id) if instant else None,
        "busy_id": uuid7(),
    }
    with constraint_errors():
        booking = Booking.of(db.execute(_ACCEPTED if instant else _DRAFT, values).one())
    event = BookingAccepted if instant else BookingRequested
    record(db, event.about(booking, actor=actor, now=now))
    return booking


def _bookable(db: Connection, listing_id: UUID, actor: Actor) -> tuple[Listing, Hours]:
    row = db.execute(BOOKABLE, {"listing_id": listing_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such listing.")
    if row.user_id == actor.user_id:
        raise Invalid("You cannot book your own listing.", details={"listingId": ["is your own listing"]})
    return Listing.of(row), Hours.read(row.time_zone, row.spans)


def _end_of(listing: Listing, start: datetime, end_time: datetime | None) -> datetime:
    end = start + timedelta(minutes=listing.duration_minutes)
    if end_time is not None and in_utc(end_time) != end:
        raise Invalid(
            f"A session of this listing lasts {listing.duration_minutes} minutes.",
            details={"endTime": [f"must be {listing.duration_minutes} minutes after startTime"]},
        )
    return end


def _require_notice(listing: Listing, start: datetime, now: datetime) -> None:
    if start <= now:
        raise Invalid("A booking must start in the future.", details={"startTime": ["lies in the past"]})
    if start - now > MAX_LEAD_TIME:
        raise Invalid("A booking must start within the next five years.", details={"startTime": ["lies too far ahead"]})
    if start < now + timedelta(minutes=listing.min_notice_minutes):
        raise Conflict(
            f"Book this listing at least {listing.min_notice_minutes} minutes in advance; choose a later time.",
            code="too_soon",
        )
