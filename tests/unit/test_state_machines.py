"""Tests of the tables of allowed transitions: every pair of states, by name."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from models.bookings import BOOKING_TRANSITIONS, BookingStatus
from models.events import DELIVERY_TRANSITIONS, DeliveryState
from models.sessions import SESSION_TRANSITIONS, SessionStatus, session_id_of

BOOKING_STEPS = {
    # The mentor, or an instant listing.
    ("draft", "accepted"),
    # The mentor.
    ("draft", "declined"),
    # The mentee, or the system when it expires.
    ("draft", "cancelled"),
    # The mentor, or an instant listing, where it is paid before.
    ("draft", "awaiting_payment"),
    # Its payment.
    ("awaiting_payment", "accepted"),
    # Either party, an operator, or the system without a payment.
    ("awaiting_payment", "cancelled"),
}
SESSION_STEPS = {
    # Either party.
    ("scheduled", "in_progress"),
    # The mentor.
    ("in_progress", "completed"),
    # By the listing's policy, and only before it began.
    ("scheduled", "cancelled"),
    # An operator, who voids it.
    ("in_progress", "cancelled"),
}
DELIVERY_STEPS = {
    # The worker, with the effect's own commit.
    ("pending", "done"),
    # The attempts are used up.
    ("pending", "dead"),
    # The effect is obsolete, or an operator cancels it.
    ("pending", "cancelled"),
    # An operator's retry.
    ("dead", "pending"),
    # An operator gives it up.
    ("dead", "cancelled"),
}
MACHINES: list[tuple[type[StrEnum], Mapping[Any, frozenset[Any]], set[tuple[str, str]]]] = [
    (BookingStatus, BOOKING_TRANSITIONS, BOOKING_STEPS),
    (SessionStatus, SESSION_TRANSITIONS, SESSION_STEPS),
    (DeliveryState, DELIVERY_TRANSITIONS, DELIVERY_STEPS),
]


@pytest.mark.parametrize(("states", "transitions", "steps"), MACHINES)
def test_the_steps_are_those_of_the_design_and_no_other(
    states: type[StrEnum], transitions: Mapping[Any, frozenset[Any]], steps: set[tuple[str, str]]
) -> None:
    assert {(here, there) for here, there in product(states, repeat=2) if there in transitions[here]} == steps


def test_the_id_of_a_session_follows_from_its_booking_alone() -> None:
    booking_id = uuid4()
    assert session_id_of(booking_id) == session_id_of(booking_id)
    assert session_id_of(booking_id) != session_id_of(uuid4())
    assert session_id_of(booking_id).version == 5
