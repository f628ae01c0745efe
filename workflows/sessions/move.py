"""The door through which a session goes from one state to the next: one compare-and-set statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import TextualSelect, bindparam

from models.sessions import SESSION_TRANSITIONS, SessionStatus
from workflows.errors import InvalidTransition
from workflows.sessions.session import Session, session_query


def _step_from(before: SessionStatus, status: SessionStatus, *columns: str) -> TextualSelect:
    written = "".join(f", {column} = :{column}" for column in columns)
    returned = ", ".join(column.name for column in Session.columns())
    statement = text(
        f"""
UPDATE sessions SET status = '{status}'{written}
WHERE id = CAST(:session_id AS uuid) AND status = '{before}' AND version = :version
RETURNING {returned}
"""
    )
    if "action_items" in columns:
        statement = statement.bindparams(bindparam("action_items", type_=JSONB(none_as_null=True)))
    return statement.columns(*Session.columns())


_NOTES = ("notes", "rating", "feedback", "action_items")
_STEPS = {
    SessionStatus.IN_PROGRESS: _step_from(SessionStatus.SCHEDULED, SessionStatus.IN_PROGRESS, "started_at"),
    SessionStatus.COMPLETED: _step_from(SessionStatus.IN_PROGRESS, SessionStatus.COMPLETED, "completed_at", *_NOTES),
}


def move(db: Connection, session: Session, status: SessionStatus, **values: Any) -> Session:
    """Move the session to `status`, and return it as it stands then.

    Args:
        session: as it was read; if it has changed since, nothing is moved.
        values: the further columns that this step writes, every one of them.

    Raises:
        InvalidTransition: there is no such step, from the state it was read in or from the one it has now.
    """
    allow(session, status)
    row = db.execute(_STEPS[status], {"session_id": session.id, "version": session.version, **values}).one_or_none()
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
