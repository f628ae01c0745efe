"""Bookings: a mentee requests, a mentor decides."""

from __future__ import annotations

from typing import Any

from api import examples
from api.blueprints import PREFER, STEPS, Area, accepts_headers, refuses, versioned
from api.context import ANYONE, MENTOR, PERSON, RequestContext, Subject, require_role
from api.etags import tagged
from api.lists import list_route
from api.loaders import changes, reads
from api.openapi import BOOKINGS_DESCRIPTION
from api.schemas import bookings as shapes
from api.schemas.base import EmptyBody
from api.schemas.sessions import BookedSession
from api.state import app_state
from models.bookings import BookingStatus
from workflows.bookings.booking import BOOKINGS, Booking, booking_query
from workflows.bookings.decisions import accept, cancel, decline
from workflows.bookings.request import request
from workflows.identity.parties import require_access, require_mentee, require_mentor

bookings = Area("Bookings", BOOKINGS_DESCRIPTION)

BOOKING = Subject(name="booking", query=booking_query, record=Booking, access=require_access)
FOR_ITS_MENTOR = Subject(name="booking", query=booking_query, record=Booking, access=require_mentor)
FOR_ITS_MENTEE = Subject(name="booking", query=booking_query, record=Booking, access=require_mentee)


@bookings.route("/bookings", methods=["POST"])
@refuses("not_found", "outside_hours", "too_soon", "slot_taken")
@changes(PERSON)
@accepts_headers(PREFER)
@bookings.arguments(shapes.NewBooking, example=examples.NEW_BOOKING)
@bookings.response(201, shapes.Booking, description="A draft, for the mentor to decide.", example=examples.DRAFT)
@bookings.alt_response(
    202,
    schema=shapes.Booking,
    description="Accepted immediately (instant listing); the session will be at `Location`.",
    example=examples.ACCEPTED,
    success=True,
)
def create_booking(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Request a booking.

    Creates a draft for the mentor to decide or, for an instant listing, an accepted booking. With `Prefer: wait=N`,
    the response for an accepted booking is 201 `{booking, session}` if the session exists in time.
    """
    overlap = app_state().settings.mentee_overlap
    return _made(request(context.db, actor=context.actor, now=context.now, mentee_overlap=overlap, **body))


@bookings.route("/bookings")
@bookings.response(200, shapes.Bookings)
@list_route(PERSON, BOOKINGS, shapes.BookingFilters)
def list_bookings(
    context: RequestContext[None], *, role: str | None = None, status: BookingStatus | None = None
) -> dict[str, Any]:
    """List the caller's bookings as mentee, mentor or both, latest start first."""
    if role == "mentor":
        require_role(context.actor, MENTOR)
    return {
        "mentee_user_id": context.actor.user_id if role != "mentor" else None,
        "mentor_profile_id": context.actor.mentor_profile_id if role != "mentee" else None,
        "status": status,
    }


@bookings.route("/bookings/<id:booking_id>")
@versioned
@reads(ANYONE, BOOKING)
@bookings.response(200, shapes.Booking)
def get_booking(context: RequestContext[Booking]) -> Any:
    """Get a booking."""
    return tagged(context.subject)


@bookings.route("/bookings/<id:booking_id>/accept", methods=STEPS)
@refuses("invalid_transition", "slot_taken")
@changes(MENTOR, FOR_ITS_MENTOR)
@accepts_headers(PREFER)
@bookings.arguments(EmptyBody, required=False)
@bookings.response(
    202, shapes.Booking, description="Accepted; the session will be at `Location`.", example=examples.ACCEPTED
)
@bookings.alt_response(
    201,
    schema=BookedSession,
    description="Accepted, and the session was created in time (`Prefer: wait`).",
    example=examples.BOOKED,
    success=True,
)
def accept_booking(context: RequestContext[Booking], _body: dict[str, Any]) -> Any:
    """Accept a booking request, as its mentor.

    The response has the session's id; the session itself is created by a durable task.
    """
    overlap = app_state().settings.mentee_overlap
    booking = accept(context.db, actor=context.actor, booking=context.subject, now=context.now, mentee_overlap=overlap)
    return _made(booking)


@bookings.route("/bookings/<id:booking_id>/decline", methods=STEPS)
@refuses("invalid_transition")
@changes(MENTOR, FOR_ITS_MENTOR)
@bookings.arguments(shapes.Reason, required=False)
@bookings.response(200, shapes.Booking)
def decline_booking(context: RequestContext[Booking], body: dict[str, Any]) -> Any:
    """Decline a booking request, as its mentor. The mentee is notified."""
    return tagged(decline(context.db, actor=context.actor, booking=context.subject, now=context.now, **body))


@bookings.route("/bookings/<id:booking_id>/cancel", methods=STEPS)
@refuses("invalid_transition")
@changes(PERSON, FOR_ITS_MENTEE)
@bookings.arguments(shapes.Reason, required=False)
@bookings.response(200, shapes.Booking)
def cancel_booking(context: RequestContext[Booking], body: dict[str, Any]) -> Any:
    """Withdraw a booking request, as its mentee. Once it is accepted, cancel the session instead."""
    return tagged(cancel(context.db, actor=context.actor, booking=context.subject, now=context.now, **body))


def _made(booking: Booking) -> Any:
    if booking.session_id is None:
        return tagged(booking, Location=f"/bookings/{booking.id}")
    record, headers = tagged(booking, Location=f"/sessions/{booking.session_id}")
    return record, 202, headers
