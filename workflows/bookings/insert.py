"""The one insert in which every route that makes a booking ends, as a draft or accepted at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.bookings import BookingKind, BookingStatus
from models.sessions import session_id_of
from workflows.availability.busy import BLOCK_TIME, LOCK_MENTEE, LOCK_MENTOR
from workflows.bookings.booking import Booking
from workflows.constraints import constraint_errors

_INSERT = """
booking AS (
    INSERT INTO bookings (
        id, listing_id, mentor_profile_id, mentee_user_id, course_id, kind, start_time, end_time, status,
        title, notes, metadata, price_amount, price_currency, product_id, bundle_purchase_id, series_id,
        buffer_before_minutes, buffer_minutes, early_start_minutes, cancellation_window_hours, late_fee_percent,
        reminder_minutes, session_id
    )
    SELECT CAST(:id AS uuid), CAST(:listing_id AS uuid), CAST(:mentor_profile_id AS uuid),
           CAST(:mentee_user_id AS uuid), CAST(:course_id AS uuid), CAST(:kind AS booking_kind),
           CAST(:start_time AS timestamptz), CAST(:end_time AS timestamptz), CAST(:status AS booking_status),
           :title, :notes, CAST(:metadata AS jsonb), :price_amount, :price_currency,
           CAST(:product_id AS uuid), CAST(:bundle_purchase_id AS uuid), CAST(:series_id AS uuid),
           :buffer_before_minutes, :buffer_minutes, CAST(:early_start_minutes AS integer),
           CAST(:cancellation_window_hours AS integer), :late_fee_percent, CAST(:reminder_minutes AS integer[]),
           CAST(:session_id AS uuid)
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


def _statement(ctes: str) -> Any:
    statement = text(f"WITH {ctes} SELECT {_COLUMNS} FROM booking")
    return statement.bindparams(_METADATA).columns(*Booking.columns())


_DRAFT = _statement(_INSERT.format(source=""))
_ACCEPTED = _statement(f"{LOCK_MENTOR}, {LOCK_MENTEE}, {_INSERT.format(source='FROM mentor, mentee')}, {BLOCK_TIME}")
_GROUP = _statement(f"{LOCK_MENTOR}, {_INSERT.format(source='FROM mentor')}, {BLOCK_TIME}")
_OPTIONAL = (
    *("listing_id", "mentee_user_id", "course_id", "title", "notes", "metadata"),
    *("product_id", "bundle_purchase_id", "series_id"),
)


class Terms(Protocol):
    """A listing, or the template of a group: what it fixes about a booking when that is requested."""

    @property
    def buffer_before_minutes(self) -> int: ...

    @property
    def buffer_minutes(self) -> int: ...

    @property
    def early_start_minutes(self) -> int | None: ...

    @property
    def cancellation_window_hours(self) -> int | None: ...

    @property
    def late_fee_percent(self) -> int: ...

    @property
    def reminder_minutes(self) -> list[int] | None: ...


def insert_booking(
    db: Connection,
    values: Mapping[str, Any],
    terms: Terms,
    *,
    mentor_profile_id: UUID,
    start_time: datetime,
    end_time: datetime,
    kind: BookingKind = BookingKind.INDIVIDUAL,
    accepted: bool,
    mentee_overlap: bool = False,
) -> Booking:
    """Insert a booking; one that is accepted blocks the time of its mentor and its mentee in the same statement.

    Args:
        values: further columns of `bookings` by name, the price among them; what is left out is null.
        start_time: in UTC, as the end.
        mentee_overlap: whether the mentee may have another session at that time.

    Raises:
        Conflict: `slot_taken`, by the mentor's calendar or, with `details.mentee`, the mentee's.
    """
    booking_id = uuid7()
    statement = _DRAFT
    if accepted:
        statement = _GROUP if kind is BookingKind.GROUP else _ACCEPTED
    parameters = {
        **dict.fromkeys(_OPTIONAL),
        **values,
        "id": booking_id,
        "mentor_profile_id": mentor_profile_id,
        "kind": kind,
        "start_time": start_time,
        "end_time": end_time,
        "status": BookingStatus.ACCEPTED if accepted else BookingStatus.DRAFT,
        "session_id": session_id_of(booking_id) if accepted else None,
        "buffer_before_minutes": terms.buffer_before_minutes,
        "buffer_minutes": terms.buffer_minutes,
        "early_start_minutes": terms.early_start_minutes,
        "cancellation_window_hours": terms.cancellation_window_hours,
        "late_fee_percent": terms.late_fee_percent,
        "reminder_minutes": terms.reminder_minutes,
        "busy_id": uuid7(),
        "mentee_overlap": mentee_overlap,
    }
    with constraint_errors():
        return Booking.of(db.execute(statement, parameters).one())
