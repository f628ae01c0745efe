"""Time off of a mentor: the record, the list, how it is taken over sessions and holds, and given up."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, insert
from uuid_utils.compat import uuid7

from models.availability import MAX_HORIZON_DAYS, time_off
from models.base import sql
from models.sessions import SessionStatus, sessions
from workflows.availability.changes import raise_version
from workflows.availability.dates import CalendarOwner
from workflows.identity.access import is_mentor, require_mentor
from workflows.identity.actor import Actor
from workflows.kernel.clock import in_utc
from workflows.kernel.errors import Conflict, Invalid
from workflows.kernel.locks import lock_calendar
from workflows.kernel.paging import LATEST_START_FIRST, PagedList, narrowed
from workflows.kernel.records import Record
from workflows.sessions.cancel import cancel
from workflows.sessions.records import SESSION_WITH_TERMS, SessionWithTerms

DEFAULT_REASON = "The mentor is not available at this time."
# Of a mentor, past ones included, which stay until they are deleted.
MAX_TIME_OFF = 5_000
_COUNT = sql("SELECT count(*) FROM time_off WHERE mentor_profile_id = :mentor_profile_id")
MAX_DURATION = timedelta(days=MAX_HORIZON_DAYS)
_OWN = """
user_id = (SELECT user_id FROM mentor_profiles WHERE id = :mentor_profile_id)
  AND block.mentor_profile_id IS NOT NULL
"""
# A session in progress, or over, is not in the way. A session that is accepted but not created has no status. One
# that the mentor attends as a mentee stays.
IN_THE_WAY = sql(
    f"""
SELECT booking.id AS booking_id, booking.session_id, session.status
FROM person_busy AS block
JOIN bookings AS booking ON booking.id = block.booking_id
LEFT JOIN sessions AS session ON session.booking_id = booking.id
WHERE block.{_OWN}  AND block.busy && tstzrange(:start_time, :end_time)
  AND booking.start_time < :end_time AND booking.end_time > :start_time
  AND booking.end_time > :now AND coalesce(session.status, 'scheduled') = 'scheduled'
ORDER BY booking.start_time
"""
)
# To start a session takes no lock of the mentor.
_TO_CANCEL = SESSION_WITH_TERMS.with_for_update(key_share=True, of=sessions)
END_HOLDS = sql(
    f"""
DELETE FROM person_busy AS block
WHERE {_OWN}  AND busy && tstzrange(:start_time, :end_time)
  AND held_start < :end_time AND held_end > :start_time
"""
)


@dataclass(frozen=True, kw_only=True)
class TimeOff(Record):
    """A stretch of time, in UTC, in which a mentor cannot be booked.

    `version` is 1: time off is never changed, only given up.
    """

    table = time_off

    id: UUID
    mentor_profile_id: UUID
    start_time: datetime
    end_time: datetime
    reason: str | None
    version: int = 1


def time_off_query(mentor_profile_id: UUID, time_off_id: UUID) -> Select[Any]:
    """The time off of that id and mentor."""
    return TimeOff.query().where(time_off.c.mentor_profile_id == mentor_profile_id, time_off.c.id == time_off_id)


def time_off_list_query(*, from_time: datetime | None = None, to_time: datetime | None = None) -> Select[Any]:
    """The time off of mentors.

    Args:
        from_time: what ends after this time.
        to_time: what starts before this time.
    """
    taken = time_off.c
    return narrowed(
        TimeOff.query(), (from_time, lambda: taken.end_time > from_time), (to_time, lambda: taken.start_time < to_time)
    )


def seen_by(actor: Actor, taken: TimeOff) -> TimeOff:
    """Time off as a caller sees it: only its mentor and operators see the reason."""
    return taken if actor.operator or is_mentor(actor, taken) else replace(taken, reason=None)


TIME_OFF = PagedList(TimeOff, LATEST_START_FIRST, rows=time_off_list_query, of=("mentor_profile_id",))


def take_time_off(
    db: Connection,
    *,
    actor: Actor,
    mentor: CalendarOwner,
    start_time: datetime,
    end_time: datetime,
    reason: str | None,
    cancel_sessions: bool,
    now: datetime,
) -> TimeOff:
    """Take time off: nothing can be booked or accepted in it from now on, and holds in it end. Requests stay.

    Args:
        start_time: aware, as the end; it may lie in the past.
        reason: shown to the mentor and to operators and, with `cancel_sessions`, to the mentees.
        cancel_sessions: cancel the sessions in the way as their mentor; the mentees get all their money back.

    Raises:
        Forbidden: another mentor's calendar.
        Invalid: it ends before it starts or before now, or lasts more than five years.
        Conflict: `sessions_in_the_way`, with the ids of the sessions, unless they are to be cancelled; also then, where
            a session has been accepted but not created yet: try again. With the ids of bookings that await their
            payment, which their parties cancel themselves. `quota_reached`, where there are as many times
            off as there may be.
    """
    require_mentor(actor, mentor)
    start, end = in_utc(start_time), in_utc(end_time)
    _require_period(start, end, now)
    lock_calendar(db, mentor.mentor_profile_id)
    period: dict[str, Any] = {
        "mentor_profile_id": mentor.mentor_profile_id,
        "start_time": start,
        "end_time": end,
    }
    # In statements of their own: their snapshots must be younger than the lock.
    if db.scalar(_COUNT, {"mentor_profile_id": mentor.mentor_profile_id}) >= MAX_TIME_OFF:
        raise Conflict(
            f"A mentor has at most {MAX_TIME_OFF} times off; delete some that have passed first.", code="quota_reached"
        )
    in_the_way = db.execute(IN_THE_WAY, period | {"now": now}).all()
    unpaid = [row.booking_id for row in in_the_way if row.session_id is None]
    if unpaid:
        raise Conflict(
            "A booking in the way awaits its payment; cancel it, or wait until it is paid or has lapsed.",
            code="sessions_in_the_way",
            details={"bookings": list(map(str, unpaid))},
        )
    if in_the_way and not cancel_sessions:
        raise _in_the_way(
            [row.session_id for row in in_the_way],
            "Sessions are in the way; choose another time, or cancel them with cancelSessions.",
        )
    pending = [row.session_id for row in in_the_way if row.status is None]
    if pending:
        raise _in_the_way(pending, "A session in the way is just being created; try again.", retry_after=1)
    sessions = [SessionWithTerms.of(db.execute(_TO_CANCEL, {"id": row.session_id}).one()) for row in in_the_way]
    # Bundles are locked in the order of their ids.
    for session in sorted(sessions, key=lambda each: str(each.bundle_purchase_id)):
        # Unless it has been started at this very moment, and is in the way no more.
        if session.status is SessionStatus.SCHEDULED:
            cancel(db, actor=actor, session=session, reason=reason or DEFAULT_REASON, now=now)
    db.execute(END_HOLDS, period)
    taken = TimeOff(id=uuid7(), reason=reason, **period)
    db.execute(insert(time_off).values(id=taken.id, reason=reason, **period))
    raise_version(db, mentor.mentor_profile_id, changed="time_off", actor=actor, now=now)
    return taken


def give_up_time_off(db: Connection, *, actor: Actor, taken: TimeOff, now: datetime) -> None:
    """Remove time off; given up twice at once, it is given up once. Raises Forbidden: another mentor's time off."""
    require_mentor(actor, taken)
    lock_calendar(db, taken.mentor_profile_id)
    if db.execute(delete(time_off).where(time_off.c.id == taken.id)).rowcount:
        raise_version(db, taken.mentor_profile_id, changed="time_off", actor=actor, now=now)


def _require_period(start: datetime, end: datetime, now: datetime) -> None:
    if end <= start:
        raise Invalid("Time off must end after it starts.", details={"endTime": ["must be after startTime"]})
    if end <= now:
        raise Invalid("Time off must end in the future.", details={"endTime": ["lies in the past"]})
    if end - start > MAX_DURATION:
        raise Invalid(
            "Time off lasts up to five years; make your listings inactive instead.",
            details={"endTime": ["lies too far after startTime"]},
        )


def _in_the_way(sessions: list[UUID], message: str, retry_after: int | None = None) -> Conflict:
    return Conflict(
        message, code="sessions_in_the_way", details={"sessions": list(map(str, sessions))}, retry_after=retry_after
    )
