"""The queue `analytics`: what of each event is counted, and when it counts.

What happened counts when it happened. How far requests came counts at the moment at which they were made: one cohort,
whenever its parts followed; nothing for a group, which nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from models.analytics import Transition
from models.bookings import BookingKind
from workflows.analytics.count import Count, Counted, History, Took, count_all
from workflows.events.catalogue import (
    BookingAccepted,
    BookingDeclined,
    BookingRequested,
    Event,
    ReviewSubmitted,
    SeatJoined,
    SeatLeft,
    SessionCancelled,
    SessionCompleted,
    SessionCreated,
    SessionStarted,
)
from workflows.events.record import defer_write
from workflows.events.subscriptions import subscribe

Facts = Iterator[Count | Took]


def _cohort(counter: str, history: History, *, individual: bool) -> Facts:
    """One more of a cohort's requests that came so far.

    Args:
        counter: one of `models.analytics.REQUEST_COUNTERS`.
        individual: whether the booking is one mentee's.
    """
    if history.asked_at is not None and individual:
        yield Count(history.asked_at, {counter: 1})


def _since(transition: Transition, event: Event, since: datetime | None) -> Facts:
    """How long a step took; nothing where there is nothing to measure from: an instant listing has no request."""
    if since is not None:
        yield Took(transition, event.occurred_at, since)


def _requested(event: BookingRequested, _history: History) -> Facts:
    yield Count(event.occurred_at, {"requests": int(event.kind == BookingKind.INDIVIDUAL)})


def _accepted(event: BookingAccepted, history: History) -> Facts:
    """Of an instant listing, the acceptance is the request too, and no time passes between them."""
    individual = event.kind == BookingKind.INDIVIDUAL
    yield from _cohort("requests_accepted", history, individual=individual)
    if history.requested_at is None and individual:
        yield Count(event.occurred_at, {"requests": 1})
    yield from _since(Transition.REQUEST_TO_DECISION, event, history.requested_at)


def _declined(event: BookingDeclined, history: History) -> Facts:
    """A no is a decision, too."""
    yield from _since(Transition.REQUEST_TO_DECISION, event, history.requested_at)


def _created(event: SessionCreated, history: History) -> Facts:
    yield Count(event.occurred_at, {"created": 1})
    yield from _cohort("requests_with_session", history, individual=event.mentee_user_id is not None)
    yield from _since(Transition.ACCEPTANCE_TO_SESSION, event, history.accepted_at)


def _started(event: SessionStarted, _history: History) -> Facts:
    yield Count(event.occurred_at, {"started": 1})
    yield from _since(Transition.START_DELAY, event, event.start_time)


def _completed(event: SessionCompleted, history: History) -> Facts:
    """The minutes are those that were booked, the length is the one that it had."""
    minutes = int((event.end_time - event.start_time).total_seconds() // 60)
    yield Count(event.occurred_at, {"completed": 1, "minutes": minutes})
    yield from _cohort("requests_completed", history, individual=event.mentee_user_id is not None)
    yield from _since(Transition.LENGTH, event, history.started_at)


def _cancelled(event: SessionCancelled, _history: History) -> Facts:
    """Late is what its listing's policy called so at that moment."""
    yield Count(event.occurred_at, {"cancelled": 1, "late_cancellations": int(event.late)})


def _reviewed(session: SessionCompleted, history: History) -> Facts:
    """One mentee reviews a session once: never more reviews than sessions. Of a group, nobody asked for the session."""
    yield from _cohort("requests_reviewed", history, individual=session.mentee_user_id is not None)


def _seat_joined(event: SeatJoined, _history: History) -> Facts:
    yield Count(event.occurred_at, {"seats_joined": 1})


def _seat_left(event: SeatLeft, _history: History) -> Facts:
    yield Count(event.occurred_at, {"seats_left": 1})


# Each event, what of it is counted, and whether that asks for what had happened before.
COUNTED: tuple[tuple[type[Event], Callable[[Any, History], Iterable[Count | Took]], bool], ...] = (
    (BookingRequested, _requested, False),
    (BookingAccepted, _accepted, True),
    (BookingDeclined, _declined, True),
    (SessionCreated, _created, True),
    (SessionStarted, _started, False),
    (SessionCompleted, _completed, True),
    (SessionCancelled, _cancelled, False),
    (ReviewSubmitted, _reviewed, True),
    (SeatJoined, _seat_joined, False),
    (SeatLeft, _seat_left, False),
)


def _subscribe(event_type: type[Event], facts: Callable[[Any, History], Iterable[Count | Took]], history: bool) -> None:
    @subscribe(event_type, name=f"analytics.{event_type.type.replace('.', '_')}", queue="analytics", deferred=True)
    def record_analytics(db: Connection, event: Event, *, now: datetime) -> None:
        defer_write(db, count_all, Counted(event, facts, history))


for _row in COUNTED:
    _subscribe(*_row)
