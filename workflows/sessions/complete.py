"""Complete a session: the mentor closes the meeting, with what is to be kept of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from models.sessions import SessionStatus
from workflows.events.catalogue import SessionCompleted
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.sessions.move import STEPS
from workflows.sessions.session import Session, mentor_of


def complete(
    db: Connection,
    *,
    actor: Actor,
    session: Session,
    now: datetime,
    notes: str | None = None,
    rating: int | None = None,
    feedback: str | None = None,
    action_items: list[str] | None = None,
) -> Session:
    """Close the meeting, and return the session as it stands then.

    Args:
        notes: shown to both sides, as are the action items.
        rating: 1 to 5; with `feedback` the mentor's own record, shown to the mentor and operators alone.

    Raises:
        Forbidden: the caller is not the session's mentor.
        InvalidTransition: the session is not in progress.
    """
    mentor_of(actor, session)
    completed = STEPS.move(
        db,
        session,
        SessionStatus.COMPLETED,
        completed_at=now,
        notes=notes,
        rating=rating,
        feedback=feedback,
        action_items=action_items,
    )
    record(db, SessionCompleted.about(completed, actor=actor, now=now))
    return completed
