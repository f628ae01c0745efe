"""The steps of a session from one state to the next."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import TextualSelect, bindparam

from models.sessions import SESSION_TRANSITIONS, SessionStatus
from workflows.sessions.session import Session, session_query
from workflows.transitions import StateMachine


def _step_from(before: SessionStatus, status: SessionStatus, *columns: str) -> TextualSelect:
    written = "".join(f", {column} = :{column}" for column in columns)
    returned = ", ".join(column.name for column in Session.columns())
    statement = text(
        f"""
UPDATE sessions SET status = '{status}'{written}
WHERE id = CAST(:id AS uuid) AND status = '{before}' AND version = :version
RETURNING {returned}
"""
    )
    if "action_items" in columns:
        statement = statement.bindparams(bindparam("action_items", type_=JSONB(none_as_null=True)))
    return statement.columns(*Session.columns())


_NOTES = ("notes", "rating", "feedback", "action_items")
_STATEMENTS = {
    SessionStatus.IN_PROGRESS: _step_from(SessionStatus.SCHEDULED, SessionStatus.IN_PROGRESS, "started_at"),
    SessionStatus.COMPLETED: _step_from(SessionStatus.IN_PROGRESS, SessionStatus.COMPLETED, "completed_at", *_NOTES),
}
STEPS = StateMachine("session", SESSION_TRANSITIONS, Session, session_query, _STATEMENTS)
