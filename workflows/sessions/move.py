"""The door through which a session goes from one state to the next: one compare-and-set statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, update

from models.sessions import SESSION_TRANSITIONS, SessionStatus, sessions
from workflows.errors import InvalidTransition
from workflows.sessions.session import Session, session_query


def move(db: Connection, session: Session, status: SessionStatus, **values: Any) -> Session:
    """Move the session to `status`, and return it as it stands then.

    Args:
        session: as it was read; if it has changed since, nothing is moved.
        values: further columns to write with the step.

    Raises:
        InvalidTransition: there is no such step, from the state it was read in or from the one it has now.
    """
    allow(session, status)
    row = db.execute(
        update(sessions)
        .where(
            sessions.c.id == session.id,
            sessions.c.status == session.status,
            sessions.c.version == session.version,
        )
        .values(status=status, **values)
        .returning(*Session.columns())
    ).one_or_none()
    return moved(db, row, session, status)


def moved(db: Connection, row: Row[Any] | None, session: Session, status: SessionStatus) -> Session:
    """The session that a compare-and-set returned, or the refusal for having come second.

    Raises:
        InvalidTransition: nothing was moved, since somebody got there first.
    """
    if row is None:
        # What they did makes the message.
        allow(Session.of(db.execute(session_query(session.id)).one()), status)
        raise InvalidTransition("The session has just changed; read it again.", step=_step(session, status))
    return Session.of(row)


def allow(session: Session, status: SessionStatus) -> None:
    """Refuse a step that the state machine does not have.

    Raises:
        InvalidTransition: there is no such step from the session's status.
    """
    if status not in SESSION_TRANSITIONS[session.status]:
        step = _step(session, status)
        raise InvalidTransition(f"A session that is {session.status} cannot become {status}.", step=step)


def _step(session: Session, status: SessionStatus) -> tuple[str, str, str]:
    return "session", session.status, status
