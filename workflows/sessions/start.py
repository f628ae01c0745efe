"""Start a session: either party opens the meeting, not long before its time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from models.sessions import SessionStatus
from workflows.errors import Invalid
from workflows.events.catalogue import SessionStarted
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.sessions.move import STEPS
from workflows.sessions.session import Session, party_of


def start(db: Connection, *, actor: Actor, session: Session, early_start_minutes: int | None, now: datetime) -> Session:
    """Open the meeting, and return the session as it stands then.

    Args:
        early_start_minutes: how long before the start time it may begin, by its listing; None for any time.

    Raises:
        Forbidden: the caller is neither party.
        InvalidTransition: the session is not scheduled.
        Invalid: `too_early`.
    """
    party_of(actor, session)
    STEPS.require_transition(session, SessionStatus.IN_PROGRESS)
    _not_too_early(session, early_start_minutes, now)
    started = STEPS.move(db, session, SessionStatus.IN_PROGRESS, started_at=now)
    record(db, SessionStarted.about(started, actor=actor, now=now))
    return started


def _not_too_early(session: Session, early_start_minutes: int | None, now: datetime) -> None:
    if early_start_minutes is None:
        return
    opens = session.start_time - timedelta(minutes=early_start_minutes)
    if now < opens:
        raise Invalid(
            f"This session may start {early_start_minutes} minutes before its time: at {opens:%Y-%m-%dT%H:%M:%SZ}.",
            code="too_early",
        )
