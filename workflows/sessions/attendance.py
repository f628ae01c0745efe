"""Attendance: which of a session's mentees were present, as the mentor records it; the absent cannot review it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Boolean, Connection, Uuid

from models.base import sql
from models.sessions import SessionStatus, sessions
from workflows.identity.access import require_mentor_or_operator
from workflows.identity.actor import Actor
from workflows.identity.parties import Participant, participants_of
from workflows.kernel.errors import Invalid, InvalidTransition
from workflows.reviews.permits import correct_permits
from workflows.sessions.records import SESSION, Session

CORRECTABLE_DAYS = 7

# In the order of the ids, so that two transactions that record the same people wait for one another.
_RECORD = sql("""
WITH before AS (
    SELECT p.booking_id, p.user_id, p.present FROM booking_participants p
    WHERE p.booking_id = :booking_id AND p.user_id = ANY(CAST(:user_ids AS uuid[]))
    ORDER BY p.user_id FOR NO KEY UPDATE
)
UPDATE booking_participants SET present = given.present
FROM before JOIN unnest(CAST(:user_ids AS uuid[]), CAST(:present AS boolean[])) AS given(user_id, present)
    ON given.user_id = before.user_id
WHERE booking_participants.booking_id = before.booking_id AND booking_participants.user_id = before.user_id
RETURNING before.user_id, before.present AS earlier
""").columns(user_id=Uuid(), earlier=Boolean())


# Completing the session waits: whether permits are to be corrected follows from its state.
_STATE_KEPT = SESSION.with_for_update(read=True, of=sessions)


def record_attendance(
    db: Connection, *, actor: Actor, session: Session, attendance: Mapping[UUID, bool], now: datetime
) -> list[Participant]:
    """Record who was present while the session is in progress, or correct it within seven days of its completion.

    A correction withdraws the permit to review of those who were absent, and gives it back; a review that has been
    written stays.

    Args:
        attendance: by the ids of mentees; what was recorded of others stays.

    Returns:
        all mentees of the session.

    Raises:
        Forbidden: the caller is neither the mentor nor an operator.
        InvalidTransition: the session has not been started, is cancelled, or was completed too long ago.
        Invalid: someone who does not take part; the mentee of an individual session as absent.
    """
    require_mentor_or_operator(actor, session)
    present = Session.of(db.execute(_STATE_KEPT, {"id": session.id}).one())
    if present.status not in (SessionStatus.IN_PROGRESS, SessionStatus.COMPLETED):
        raise InvalidTransition(
            f"Attendance is recorded once the session has been started; this one is {present.status}."
        )
    if present.completed_at is not None and now > present.completed_at + timedelta(days=CORRECTABLE_DAYS):
        raise InvalidTransition(
            f"Attendance can be corrected within {CORRECTABLE_DAYS} days of a session's completion."
        )
    earlier = write_attendance(db, session, attendance)
    changed = {mentee: attendance[mentee] for mentee, was in earlier.items() if (was is False) == attendance[mentee]}
    if present.completed_at is not None and changed:
        correct_permits(
            db,
            session_id=session.id,
            booking_id=session.booking_id,
            mentor_profile_id=session.mentor_profile_id,
            completed_at=present.completed_at,
            present=changed,
            now=now,
        )
    return participants_of(db, session.booking_id)


def write_attendance(db: Connection, session: Session, attendance: Mapping[UUID, bool]) -> dict[UUID, bool | None]:
    """Write who was present, and return what was recorded of each before; None where nothing was.

    Raises:
        Invalid: someone who does not take part; the mentee of an individual session as absent.
    """
    if not attendance:
        return {}
    if session.mentee_user_id is not None and not all(attendance.values()):
        raise Invalid(
            "The mentee of an individual session that was started is not absent. Who does not come is reported before"
            f" it is started: POST /sessions/{session.id}/no-show.",
            details={"attendance": ["must be true in an individual session"]},
        )
    values = {"booking_id": session.booking_id, "user_ids": [*attendance], "present": [*attendance.values()]}
    earlier: dict[UUID, bool | None] = {row.user_id: row.earlier for row in db.execute(_RECORD, values)}
    unknown = [str(mentee) for mentee in attendance if mentee not in earlier]
    if unknown:
        raise Invalid(
            "Attendance is recorded of the session's mentees only.",
            details={"attendance": [f"{mentee} does not take part in this session." for mentee in unknown]},
        )
    return earlier
