"""Bookings: a mentee asks, a mentor decides."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from api.blueprints import Area, refuses, understands, versioned
from api.calls import ANYONE, MENTOR, PERSON, Call, Subject
from api.docs import examples, life_cycles
from api.etags import tagged
from api.lists import LATEST_START_FIRST, lists
from api.loaders import changes, reads
from api.schemas import bookings as shapes
from api.schemas.base import EmptyBody
from api.schemas.sessions import BookedSession
from models.bookings import BookingStatus
from workflows.bookings.accept import accept
from workflows.bookings.booking import Booking, booking_query, bookings_query, mentee_of, mentor_of, participant_of
from workflows.bookings.cancel import cancel
from workflows.bookings.decline import decline
from workflows.bookings.request import request
from workflows.errors import Forbidden
from workflows.identity.actor import Claim
from workflows.identity.recognise import caller_query
from workflows.paging import Page

bookings = Area("Bookings", life_cycles.OF_BOOKINGS)

BOOKING = Subject(name="booking", query=booking_query, record=Booking, access=participant_of)
FOR_ITS_MENTOR = Subject(name="booking", query=booking_query, record=Booking, access=mentor_of)
FOR_ITS_MENTEE = Subject(name="booking", query=booking_query, record=Booking, access=mentee_of)
STEPS = ["PATCH", "POST"]


@bookings.route("/bookings", methods=["POST"])
@refuses("not_found", "outside_hours", "too_soon", "slot_taken")
@changes(PERSON)
@understands(examples.PREFER)
@bookings.arguments(shapes.NewBooking, example=examples.NEW_BOOKING)
@bookings.response(201, shapes.Booking, description="A draft; its mentor decides.", example=examples.DRAFT)
@bookings.alt_response(
    202,
    schema=shapes.Booking,
    description="Accepted at once (instant listing); its session follows at `Location`.",
    example=examples.ACCEPTED,
    success=True,
)
def create_booking(call: Call[None], body: dict[str, Any]) -> Any:
    """Request a booking.

    A draft for the mentor to decide or, for an instant listing, accepted at once. With `Prefer: wait=N`, an accepted
    booking is answered as 201 `{booking, session}` if the session comes in time.
    """
    return _made(request(call.db, actor=call.actor, now=call.now, **body))


@bookings.route("/bookings")
@bookings.response(200, shapes.Bookings)
@lists(PERSON, Booking, shapes.BookingFilters, LATEST_START_FIRST)
def list_bookings(
    claim: Claim, page: Page, *, role: str | None = None, status: BookingStatus | None = None
) -> Select[Any]:
    """List the caller's bookings as mentee, as mentor or both, the latest start first."""
    if role == "mentor" and not MENTOR.held(claim):
        raise Forbidden(MENTOR.needed)
    # A mentor's id alone stands for its user as well, whom the same statement looks up.
    user: Any = claim.user_id or select(caller_query(claim).c.caller_user_id).scalar_subquery()
    return bookings_query(
        page,
        mentee_user_id=user if role != "mentor" else None,
        mentor_profile_id=claim.mentor_profile_id if role != "mentee" else None,
        status=status,
    )


@bookings.route("/bookings/<id:booking_id>")
@versioned
@reads(ANYONE, BOOKING)
@bookings.response(200, shapes.Booking)
def get_booking(call: Call[Booking]) -> Any:
    """Read a booking."""
    return tagged(call.subject)


@bookings.route("/bookings/<id:booking_id>/accept", methods=STEPS)
@refuses("invalid_transition", "slot_taken")
@changes(MENTOR, FOR_ITS_MENTOR)
@understands(examples.PREFER)
@bookings.arguments(EmptyBody, required=False)
@bookings.response(
    202, shapes.Booking, description="Accepted; the session follows at `Location`.", example=examples.ACCEPTED
)
@bookings.alt_response(
    201,
    schema=BookedSession,
    description="Accepted, and the session came while the caller waited (`Prefer: wait`).",
    example=examples.BOOKED,
    success=True,
)
def accept_booking(call: Call[Booking], _body: dict[str, Any]) -> Any:
    """Accept a draft.

    The mentor's step. The session's id is known at once, and the session itself is created by a durable task.
    """
    return _made(accept(call.db, actor=call.actor, booking=call.subject, now=call.now))


@bookings.route("/bookings/<id:booking_id>/decline", methods=STEPS)
@refuses("invalid_transition")
@changes(MENTOR, FOR_ITS_MENTOR)
@bookings.arguments(shapes.Reason, required=False)
@bookings.response(200, shapes.Booking)
def decline_booking(call: Call[Booking], body: dict[str, Any]) -> Any:
    """Decline a draft; the mentor's step, and the mentee hears of it."""
    return tagged(decline(call.db, actor=call.actor, booking=call.subject, now=call.now, **body))


@bookings.route("/bookings/<id:booking_id>/cancel", methods=STEPS)
@refuses("invalid_transition")
@changes(PERSON, FOR_ITS_MENTEE)
@bookings.arguments(shapes.Reason, required=False)
@bookings.response(200, shapes.Booking)
def cancel_booking(call: Call[Booking], body: dict[str, Any]) -> Any:
    """Take a draft back; the mentee's step. An accepted booking cannot be cancelled as a booking."""
    return tagged(cancel(call.db, actor=call.actor, booking=call.subject, now=call.now, **body))


def _made(booking: Booking) -> Any:
    if booking.session_id is None:
        return tagged(booking, Location=f"/bookings/{booking.id}")
    record, headers = tagged(booking, Location=f"/sessions/{booking.session_id}")
    return record, 202, headers
