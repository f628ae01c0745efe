"""Tests of which steps events are: every step of both state machines is counted, and only those."""

from typing import Any

from infrastructure.transactions import AWAITED_FROM, BEFORE, NOTHING, VOIDED_FROM
from models.bookings import BOOKING_TRANSITIONS
from models.sessions import SESSION_TRANSITIONS
from workflows.events.event_types import BookingEvent, SessionEvent, event_types

# The state that each step leads to, by the event's name.
AFTER = {
    "booking.requested": "draft",
    "booking.awaiting_payment": "awaiting_payment",
    "booking.accepted": "accepted",
    "booking.declined": "declined",
    "booking.cancelled": "cancelled",
    "session.created": "scheduled",
    "session.started": "in_progress",
    "session.completed": "completed",
    "session.cancelled": "cancelled",
}


def test_every_transition_of_both_machines_is_counted() -> None:
    tables: dict[str, Any] = {"booking": BOOKING_TRANSITIONS, "session": SESSION_TRANSITIONS}
    steps = {
        (machine, str(before), str(after))
        for machine, table in tables.items()
        for before, follow in table.items()
        for after in follow
    }
    counted = {(kind.subject, before, AFTER[kind.type]) for kind, before in BEFORE.items() if before != NOTHING}
    # Of a session that has begun, by the event's own field.
    counted.add(("session", VOIDED_FROM, AFTER["session.cancelled"]))
    counted |= {("booking", AWAITED_FROM, AFTER[kind]) for kind in ("booking.accepted", "booking.cancelled")}
    assert counted == steps


def test_counted_events_have_state_and_version() -> None:
    assert {kind.type for kind in BEFORE} == set(AFTER) <= set(event_types())
    assert all(issubclass(kind, BookingEvent | SessionEvent) for kind in BEFORE)
