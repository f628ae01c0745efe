"""Tests of the tables of allowed transitions: every pair of states, by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import uuid4

import pytest

from models.bookings import BOOKING_TRANSITIONS, BookingKind, BookingStatus
from models.events import DELIVERY_TRANSITIONS, DeliveryState
from models.sessions import SESSION_TRANSITIONS, SessionStatus, session_id_of
from workflows.bookings.booking import Booking
from workflows.bookings.decisions import BOOKING_MACHINE
from workflows.errors import InvalidTransition
from workflows.sessions.session import Session
from workflows.sessions.steps import SESSION_MACHINE

NOW = datetime(2030, 5, 4, 9, 0, tzinfo=UTC)

BOOKING_STEPS = {
    # The mentor says yes, or nobody has to.
    ("draft", "accepted"),
    # The mentor says no.
    ("draft", "declined"),
    # The mentee takes it back, or it expires.
    ("draft", "cancelled"),
}
SESSION_STEPS = {
    # Either party opens the meeting.
    ("scheduled", "in_progress"),
    # The mentor closes it.
    ("in_progress", "completed"),
    # By the listing's policy, and only before it began.
    ("scheduled", "cancelled"),
}
DELIVERY_STEPS = {
    # The worker, with the effect's own commit.
    ("pending", "done"),
    # The retries are used up.
    ("pending", "dead"),
    # The effect has lost its point, or an operator says so.
    ("pending", "cancelled"),
    # An operator's retry: the only way back there is.
    ("dead", "pending"),
    # An operator has seen it, and will not have it retried.
    ("dead", "cancelled"),
}


@pytest.mark.parametrize(("here", "there"), list(product(BookingStatus, repeat=2)))
def test_a_booking_takes_the_steps_of_the_design_and_no_other(here: BookingStatus, there: BookingStatus) -> None:
    assert (there in BOOKING_TRANSITIONS[here]) is ((here, there) in BOOKING_STEPS)


@pytest.mark.parametrize(("here", "there"), list(product(SessionStatus, repeat=2)))
def test_a_session_takes_the_steps_of_the_design_and_no_other(here: SessionStatus, there: SessionStatus) -> None:
    assert (there in SESSION_TRANSITIONS[here]) is ((here, there) in SESSION_STEPS)


@pytest.mark.parametrize(("here", "there"), list(product(DeliveryState, repeat=2)))
def test_a_delivery_takes_the_steps_of_the_design_and_no_other(here: DeliveryState, there: DeliveryState) -> None:
    assert (there in DELIVERY_TRANSITIONS[here]) is ((here, there) in DELIVERY_STEPS)


@pytest.mark.parametrize(("here", "there"), list(product(BookingStatus, repeat=2)))
def test_the_door_of_a_booking_refuses_in_a_sentence(here: BookingStatus, there: BookingStatus) -> None:
    booking = replace(a_booking(), status=here)
    if (here, there) in BOOKING_STEPS:
        BOOKING_MACHINE.require_transition(booking, there)
    else:
        with pytest.raises(InvalidTransition, match=f"A booking that is {here} cannot become {there}") as refusal:
            BOOKING_MACHINE.require_transition(booking, there)
        assert refusal.value.code == "invalid_transition"


@pytest.mark.parametrize(("here", "there"), list(product(SessionStatus, repeat=2)))
def test_the_door_of_a_session_refuses_in_a_sentence(here: SessionStatus, there: SessionStatus) -> None:
    session = replace(a_session(), status=here)
    if (here, there) in SESSION_STEPS:
        SESSION_MACHINE.require_transition(session, there)
    else:
        with pytest.raises(InvalidTransition, match=f"A session that is {here} cannot become {there}") as refusal:
            SESSION_MACHINE.require_transition(session, there)
        assert refusal.value.code == "invalid_transition"


def test_the_id_of_a_session_follows_from_its_booking_alone() -> None:
    booking_id = uuid4()
    assert session_id_of(booking_id) == session_id_of(booking_id)
    assert session_id_of(booking_id) != session_id_of(uuid4())
    assert session_id_of(booking_id).version == 5


def a_booking() -> Booking:
    """A draft of an hour."""
    return Booking(
        id=uuid4(),
        listing_id=uuid4(),
        mentor_profile_id=uuid4(),
        mentee_user_id=uuid4(),
        course_id=None,
        kind=BookingKind.INDIVIDUAL,
        start_time=NOW,
        end_time=NOW + timedelta(hours=1),
        status=BookingStatus.DRAFT,
        title=None,
        notes=None,
        metadata=None,
        price_amount=4000,
        price_currency="USD",
        buffer_minutes=0,
        session_id=None,
        decline_reason=None,
        cancel_reason=None,
        created_at=NOW,
        updated_at=NOW,
        version=1,
    )


def a_session() -> Session:
    """A scheduled hour."""
    return Session(
        id=uuid4(),
        booking_id=uuid4(),
        mentor_profile_id=uuid4(),
        mentee_user_id=uuid4(),
        course_id=None,
        start_time=NOW,
        end_time=NOW + timedelta(hours=1),
        status=SessionStatus.SCHEDULED,
        title=None,
        description=None,
        notes=None,
        metadata=None,
        rating=None,
        feedback=None,
        action_items=None,
        started_at=None,
        completed_at=None,
        cancelled_at=None,
        cancellation=None,
        created_at=NOW,
        updated_at=NOW,
        version=1,
    )
