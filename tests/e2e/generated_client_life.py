"""One life of a booking by the generated client, which the test has put beside this file as `client`."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from uuid import UUID

from client.api.bookings import accept_booking, create_booking
from client.api.reviews import create_review
from client.api.sessions import complete_session, start_session
from client.client import AuthenticatedClient
from client.models.booked_session import BookedSession
from client.models.booking import Booking
from client.models.create_booking_conflict_refusal import CreateBookingConflictRefusal
from client.models.create_booking_conflict_refusal_code import CreateBookingConflictRefusalCode
from client.models.new_booking import NewBooking
from client.models.new_review import NewReview
from client.models.review import Review
from client.models.session import Session
from client.models.session_completed_message import SessionCompletedMessage
from client.models.session_completion import SessionCompletion
from client.models.session_status import SessionStatus


def client_of(name: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=os.environ["API"] + "/api", token=os.environ[name])


def live() -> UUID:
    """From the request to the review; returns the session's id."""
    mentor, mentee = client_of("MENTOR"), client_of("MENTEE")
    first, second = (datetime.fromisoformat(os.environ[name]) for name in ("FIRST", "SECOND"))
    request = NewBooking(listing_id=UUID(os.environ["LISTING"]), start_time=first)
    draft = create_booking.sync(client=mentee, body=request)
    assert isinstance(draft, Booking), draft
    accepted = accept_booking.sync(draft.id, client=mentor, prefer="wait=10")
    assert isinstance(accepted, BookedSession), accepted
    instant = NewBooking(listing_id=UUID(os.environ["INSTANT"]), start_time=second)
    booked = create_booking.sync(client=mentee, body=instant, prefer="wait=10")
    assert isinstance(booked, BookedSession), booked
    again = create_booking.sync(client=mentee, body=instant)
    assert isinstance(again, CreateBookingConflictRefusal), again
    assert again.code is CreateBookingConflictRefusalCode.SLOT_TAKEN
    session_id: UUID = accepted.session.id
    started = start_session.sync(session_id, client=mentee)
    assert isinstance(started, Session), started
    assert started.status is SessionStatus.IN_PROGRESS
    completed = complete_session.sync(session_id, client=mentor, body=SessionCompletion(notes="Read chapter 3."))
    assert isinstance(completed, Session), completed
    assert completed.status is SessionStatus.COMPLETED
    return session_id


def review(session_id: UUID) -> None:
    """The review that is unlocked once the session's effects have run."""
    mentee = client_of("MENTEE")
    written = create_review.sync(session_id, client=mentee, body=NewReview(rating=5))
    assert isinstance(written, Review), written


def read(request: str) -> UUID:
    """The session that a webhook is about."""
    return SessionCompletedMessage.from_dict(json.loads(json.loads(request)["body"])).data.session_id


match sys.argv[1:]:
    case ["live"]:
        print(live())
    case ["review", session]:
        review(UUID(session))
    case ["read"]:
        print(read(sys.stdin.read()))
