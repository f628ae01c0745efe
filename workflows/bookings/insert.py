"""The one way into the books: every route that makes a booking ends in this insert."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.bookings import BookingStatus
from models.sessions import session_id_of
from workflows.availability.busy import LOCK_MENTOR, TAKE_TIME, taking_time
from workflows.bookings.booking import Booking

# The parties, the price and the buffer are the listing's and the mentee's as they are at this moment.
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
# By name: a table's own order is that in which its columns came to be.
_COLUMNS = ", ".join(column.name for column in Booking.columns())
_METADATA = bindparam("metadata", type_=JSONB(none_as_null=True))
_DRAFT = (
    text(f"WITH {_INSERT.format(source='')} SELECT {_COLUMNS} FROM booking")
    .bindparams(_METADATA)
    .columns(*Booking.columns())
)
_ACCEPTED = (
    text(f"WITH {LOCK_MENTOR}, {_INSERT.format(source='FROM mentor')}, {TAKE_TIME} SELECT {_COLUMNS} FROM booking")
    .bindparams(_METADATA)
    .columns(*Booking.columns())
)


def insert_booking(db: Connection, *, status: BookingStatus, mentor_profile_id: UUID, **values: Any) -> Booking:
    """Write a booking and its first participant in one statement; an accepted one takes the mentor's time with it.

    Args:
        status: draft, or accepted for what nobody has to decide.
        values: the other columns of `bookings` by name; `mentee_user_id` is None for a group alone.

    Raises:
        Conflict: `slot_taken`, when the booking was to be accepted and the time is another's.
    """
    booking_id = uuid7()
    values |= {"id": booking_id, "status": status, "mentor_profile_id": mentor_profile_id, "session_id": None}
    if status is BookingStatus.DRAFT:
        return Booking.of(db.execute(_DRAFT, values).one())
    row = taking_time(db, _ACCEPTED, values | {"session_id": session_id_of(booking_id), "busy_id": uuid7()})
    if row is None:
        raise LookupError("The mentor of a listing is always there: its foreign key says so.")
    return Booking.of(row)
