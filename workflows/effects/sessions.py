"""The queue `sessions`: the session of an accepted booking."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Accepted:
    """An acceptance whose session is to be created."""

    event: BookingAccepted
    policy: OperatorPolicy
    now: datetime


@subscribe(BookingAccepted, name="sessions.create", queue="sessions", uses_operator_policy=True, deferred=True)
def create_session(
    db: Connection, event: BookingAccepted, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """One session per booking (M4, M5), with its reminders."""
    defer_write(db, create_sessions, Accepted(event, policy, now))


def create_sessions(db: Connection, accepted: list[Accepted]) -> None:
    """Create the sessions and record that, each in one statement; a duplicate is taken for done."""
    sessions = create_all(db, [each.event.booking_id for each in accepted])
    events: list[Event] = []
    for each in accepted:
        session = sessions.get(each.event.booking_id)
        if session is None:
            log.warning("session.exists_already", booking_id=each.event.booking_id)
            continue
        created = SessionCreated.about(session, actor=SYSTEM, now=each.now)
        events.append(created)
        events += reminders_to_set(created, session.reminder_minutes, policy=each.policy, now=each.now)
    if events:
        record(db, *events)
