"""Rows of bookings, sessions and reviews as they stand after lives at moments that a test chooses."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert

from models.bookings import BookingKind, BookingStatus, bookings
from models.reviews import reviews
from models.sessions import CancellationType, SessionStatus, session_id_of, sessions
from tests.integration.harness import without_guards
from workflows.events.event import own_fields
from workflows.events.event_types import SeatEvent
from workflows.events.record import record

HOUR = timedelta(hours=1)
# Rows are parameters: a statement made of each row would be a third of the time.
_BOOKING, _SESSION, _REVIEW = insert(bookings), insert(sessions), insert(reviews)
MONDAY = datetime(2026, 5, 4, 10, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def past_life(
    db: Connection,
    mentor_profile_id: UUID,
    *,
    requested: datetime | None = None,
    decided: datetime | None = None,
    created: datetime | None = None,
    started: datetime | None = None,
    completed: datetime | None = None,
    cancelled: datetime | None = None,
    reviewed: datetime | None = None,
    status: BookingStatus = BookingStatus.ACCEPTED,
    late: bool = False,
    kind: str = CancellationType.CLIENT_REQUEST,
    group: bool = False,
    course_id: UUID | None = None,
    start_time: datetime = MONDAY,
    length: timedelta = HOUR,
) -> UUID:
    """Write one booking with what has become of it; returns its id.

    Args:
        requested: when it was asked for; None for an instant booking or a group, which are accepted as they are made.
        decided: when it left the draft; the moment at which it was made where it never was one.
        created: when its session was made; None for a booking without one. The others are the session's, too.
        late: whether it was cancelled inside its policy's window.
    """
    booking_id, mentee = uuid4(), None if group else uuid4()
    accepted_at = decided or created or requested or MONDAY
    common = {
        "mentor_profile_id": mentor_profile_id,
        "mentee_user_id": mentee,
        "course_id": course_id,
        "start_time": start_time,
        "end_time": start_time + length,
    }
    booking: dict[str, Any] = {
        "id": booking_id,
        "listing_id": None if group else uuid4(),
        "kind": BookingKind.GROUP if group else BookingKind.INDIVIDUAL,
        "status": status,
        "price_amount": 0,
        "price_currency": "USD",
        "late_fee_percent": 50,
        "session_id": session_id_of(booking_id) if status is BookingStatus.ACCEPTED else None,
        "created_at": requested or accepted_at,
        "updated_at": accepted_at,
        "version": 2 if requested and decided else 1,
    }
    with without_guards(db):
        db.execute(_BOOKING, booking | common)
        if created is not None:
            session: dict[str, Any] = {
                "id": session_id_of(booking_id),
                "booking_id": booking_id,
                "cancellation": {"late": late, "type": kind} if cancelled else None,
                "created_at": created,
                **_state(started=started, completed=completed, cancelled=cancelled),
                "updated_at": completed or cancelled or started or created,
            }
            db.execute(_SESSION, session | common)
        if reviewed is not None:
            review = {"id": uuid4(), "session_id": session_id_of(booking_id), "mentor_profile_id": mentor_profile_id}
            moments = {"created_at": reviewed, "updated_at": reviewed}
            db.execute(_REVIEW, {**review, "mentee_user_id": mentee or uuid4(), "rating": 5, **moments})
    return booking_id


def _state(**moments: datetime | None) -> dict[str, Any]:
    reached = {
        "completed": SessionStatus.COMPLETED,
        "cancelled": SessionStatus.CANCELLED,
        "started": SessionStatus.IN_PROGRESS,
    }
    status = next((status for name, status in reached.items() if moments[name]), SessionStatus.SCHEDULED)
    return {"status": status, **{f"{name}_at": moment for name, moment in moments.items()}}


def held_on_wednesday(db: Connection, mentor_profile_id: UUID, **besides: Any) -> UUID:
    """A whole life: requested on a Monday, held on the Wednesday, reviewed on the Friday."""
    return past_life(
        db,
        mentor_profile_id,
        requested=at("2026-05-04T23:50Z"),
        decided=at("2026-05-05T01:20Z"),
        created=at("2026-05-05T01:20:00.120Z"),
        started=at("2026-05-06T09:58Z"),
        completed=at("2026-05-06T11:03Z"),
        reviewed=at("2026-05-08T18:00Z"),
        start_time=at("2026-05-06T10:00Z"),
        **besides,
    )


def seat(
    db: Connection, mentor_profile_id: UUID, event: type[SeatEvent], moment: datetime, *, late: bool = False
) -> None:
    of = {"booking_id": uuid4(), "seat_id": uuid4(), "user_id": uuid4(), "mentor_profile_id": mentor_profile_id}
    times = {"start_time": moment, "end_time": moment + HOUR}
    costs = {"price_amount": 0, "fee_amount": 0, "refund_amount": 0, "late": late, "credit_returned": False}
    of_it: dict[str, Any] = {name: value for name, value in (of | times | costs).items() if name in own_fields(event)}
    record(db, event(actor="system", occurred_at=moment, capacity=8, seats_taken=1, currency="USD", **of_it))
