"""What committed events and settled deliveries add to the figures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from config import telemetry
from workflows.events.catalogue import (
    BookingAccepted,
    BookingCancelled,
    BookingDeclined,
    BookingEvent,
    BookingRequested,
    Event,
    SessionCancelled,
    SessionCompleted,
    SessionCreated,
    SessionEvent,
    SessionStarted,
)

NOTHING = "none"

# The state from which each step leads. What an instant listing accepts was nothing before.
BEFORE: dict[type[Event], str] = {
    BookingRequested: NOTHING,
    BookingAccepted: "draft",
    BookingDeclined: "draft",
    BookingCancelled: "draft",
    SessionCreated: NOTHING,
    SessionStarted: "scheduled",
    SessionCompleted: "in_progress",
    SessionCancelled: "scheduled",
}


def count(events: Iterable[Event]) -> None:
    """Count what a transaction recorded, after its commit."""
    for event in events:
        telemetry.EVENTS.labels(event.type).inc()
        if isinstance(event, SessionCreated):
            telemetry.SESSIONS_CREATED.inc()
        before = BEFORE.get(type(event))
        if before is not None and isinstance(event, BookingEvent | SessionEvent):
            first = event.version == 1
            telemetry.TRANSITIONS.labels(event.subject, NOTHING if first else before, event.status).inc()


def count_attempt(effect: str, outcome: str, took: timedelta, late: timedelta) -> None:
    """Count an attempt at a delivery, once its outcome is written.

    Args:
        outcome: done, retry, postponed, cancelled, dead; or settled_late, where somebody else had the row meanwhile.
        took: how long the attempt took.
        late: for how long the delivery had been due when it was taken.
    """
    telemetry.DELIVERY_DURATION.labels(effect, outcome).observe(took.total_seconds())
    if outcome == "done":
        telemetry.DELIVERY_DELAY.labels(effect).observe((late + took).total_seconds())
