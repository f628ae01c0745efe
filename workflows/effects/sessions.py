"""The queue `sessions`: the session of an accepted booking."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import Connection

from workflows.events.catalogue import BookingAccepted, Event, SessionCreated
from workflows.events.record import defer_write, record
from workflows.events.subscriptions import subscribe
from workflows.identity.actor import SYSTEM
from workflows.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.reminders import reminders_to_set
from workflows.sessions.steps import create_all

log = structlog.get_logger(__name__)


@subscribe(BookingAccepted, name="sessions.create", queue="sessions", uses_operator_policy=True, deferred=True)
def create_session(
    db: Connection, event: BookingAccepted, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """One session per booking (M4, M5), with its reminders."""
    defer_write(db, create_sessions, (event, policy, now))


def create_sessions(db: Connection, accepted: list[tuple[BookingAccepted, OperatorPolicy, datetime]]) -> None:
    """Create the sessions and record that, each in one statement; an existing session counts as created."""
    sessions = create_all(db, [event.booking_id for event, _policy, _now in accepted])
    events: list[Event] = []
    for event, policy, now in accepted:
        session = sessions.get(event.booking_id)
        if session is None:
            log.warning("session.exists_already", booking_id=event.booking_id)
            continue
        created = SessionCreated.about(session, actor=SYSTEM, now=now)
        events.append(created)
        events += reminders_to_set(created, session.reminder_minutes, policy=policy, now=now)
    if events:
        record(db, *events)
