"""The life of a session: created for an accepted booking, started, completed. `cancel.py` has its cancellation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.base import sql
from models.bookings import bookings
from models.prepared import PreparedStatement
from models.sessions import SESSION_TRANSITIONS, SessionStatus
from workflows.availability.busy import RELEASE_TIME
from workflows.events.event_types import SessionCompleted, SessionStarted
from workflows.events.record import record
from workflows.identity.access import require_mentor_or_operator, require_party
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Invalid
from workflows.kernel.locks import LOCK_GROUP_OF_SESSION, LOCK_MENTOR
from workflows.kernel.transitions import StateMachine, update_statement
from workflows.sessions.attendance import write_attendance
from workflows.sessions.meeting import opens_at
from workflows.sessions.records import Session

# A booking that is not accepted is refused by the table's own trigger.
_CREATE = sql(f"""
WITH booking AS (
    SELECT * FROM bookings WHERE id = ANY(CAST(:booking_ids AS uuid[]))
), created AS (
    INSERT INTO sessions (
        id, booking_id, mentor_profile_id, mentee_user_id, course_id, start_time, end_time,
        title, description, metadata, status
    )
    SELECT session_id, id, mentor_profile_id, mentee_user_id, course_id, start_time, end_time,
           title, notes, metadata, 'scheduled'
    FROM booking ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT {Session.names(of="created")}, booking.reminder_minutes
FROM created JOIN booking ON booking.id = created.booking_id
""").columns(*Session.columns(), bookings.c.reminder_minutes)
# A group's row is locked before its session and the calendars of its participants: who joins or leaves meanwhile holds
# it, and writes those calendars. It is counted so that its lock comes first.
_CANCEL = (
    sql(f"""
WITH {LOCK_MENTOR},
{LOCK_GROUP_OF_SESSION},
session AS (
    UPDATE sessions SET status = 'cancelled', cancelled_at = :cancelled_at, cancellation = :cancellation
    FROM mentor, (SELECT count(*) FROM locked_group) AS locked
    WHERE sessions.mentor_profile_id = mentor.id AND sessions.id = :id
      AND sessions.status IN ('scheduled', 'in_progress') AND sessions.version = :version
    RETURNING {Session.names(of="sessions")}
),
group_cancelled AS (
    UPDATE group_sessions SET cancelled_at = session.cancelled_at FROM session
    WHERE group_sessions.booking_id = session.booking_id
),
{RELEASE_TIME}
SELECT * FROM session
""")
    .bindparams(bindparam("cancellation", type_=JSONB))
    .columns(*Session.columns())
)
_RECORD_OF_MEETING = ("notes", "rating", "feedback", "action_items")
SESSION_MACHINE = StateMachine(
    "session",
    SESSION_TRANSITIONS,
    Session,
    {
        SessionStatus.IN_PROGRESS: update_statement(
            Session, SessionStatus.SCHEDULED, SessionStatus.IN_PROGRESS, "started_at"
        ),
        SessionStatus.COMPLETED: update_statement(
            Session, SessionStatus.IN_PROGRESS, SessionStatus.COMPLETED, "completed_at", *_RECORD_OF_MEETING
        ),
        SessionStatus.CANCELLED: PreparedStatement(_CANCEL),
    },
)


@dataclass(frozen=True, kw_only=True)
class CreatedSession(Session):
    """A session with its booking's minutes before the start at which to remind; None where it has none of its own."""

    reminder_minutes: list[int] | None


def create_all(db: Connection, booking_ids: Sequence[UUID]) -> dict[UUID, CreatedSession]:
    """Write the sessions of these bookings in one statement.

    Returns:
        By booking; without those that already had a session.
    """
    rows = db.execute(_CREATE, {"booking_ids": list(booking_ids)})
    return {row.booking_id: CreatedSession.of(row) for row in rows}


def create(db: Connection, *, booking_id: UUID) -> CreatedSession:
    """Write the session of one booking, for callers to whom a second creation is an error (requirement M5).

    The effect takes a duplicate for done, and creates many at once by `create_all`.

    Raises:
        Conflict: `duplicate_session`, when the booking already has a session.
    """
    created = create_all(db, [booking_id])
    if not created:
        raise Conflict(code="duplicate_session")
    return created[booking_id]


def start(db: Connection, *, actor: Actor, session: Session, early_start_minutes: int | None, now: datetime) -> Session:
    """Start a scheduled session, and return it as it stands then.

    Args:
        early_start_minutes: how long before the start time it may begin, None for any time.

    Raises:
        Forbidden: the caller is neither party.
        InvalidTransition: the session is not scheduled.
        Invalid: `too_early`.
    """
    require_party(actor, session)
    SESSION_MACHINE.require_transition(session, SessionStatus.IN_PROGRESS)
    if early_start_minutes is not None:
        opens = opens_at(session.start_time, early_start_minutes)
        if now < opens:
            raise Invalid(
                f"This session can be started from {opens:%Y-%m-%dT%H:%M:%SZ} on, {early_start_minutes} minutes before"
                " its start time.",
                code="too_early",
            )
    started = SESSION_MACHINE.move(db, session, SessionStatus.IN_PROGRESS, started_at=now)
    record(db, SessionStarted.about(started, actor=actor, now=now))
    return started


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
    attendance: Mapping[UUID, bool] | None = None,
) -> Session:
    """Complete a session in progress, and return it as it stands then.

    Args:
        notes: shown to both sides, as are the action items.
        rating: 1 to 5; with `feedback` the mentor's own record, shown to the mentor and operators alone.
        attendance: which mentees were present, by their ids; those who were not get no permit to review it.

    Raises:
        Forbidden: the caller is neither the session's mentor nor an operator.
        InvalidTransition: the session is not in progress.
        Invalid: attendance of someone who does not take part; the mentee of an individual session as absent.
    """
    require_mentor_or_operator(actor, session)
    completed = SESSION_MACHINE.move(
        db,
        session,
        SessionStatus.COMPLETED,
        completed_at=now,
        notes=notes,
        rating=rating,
        feedback=feedback,
        action_items=action_items,
    )
    write_attendance(db, session, attendance or {})
    record(db, SessionCompleted.about(completed, actor=actor, now=now))
    return completed
