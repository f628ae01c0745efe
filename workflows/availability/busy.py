"""SQL that blocks and releases a booking's time in the calendars of its people, whose locks `kernel/locks.py` has."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from models.base import sql
from workflows.kernel.constraints import mentee_taken

# Follows a CTE `booking` that holds the accepted booking. A trigger deletes what has expired, and the mentee's own
# holds, and refuses by the name of the person who is not free.
BLOCK_TIME = """
blocked AS (
    INSERT INTO person_busy (id, user_id, mentor_profile_id, busy, booking_id, may_overlap)
    SELECT :busy_id, mentor.user_id, mentor.id, tstzrange(
        start_time - buffer_before_minutes * interval '1 minute', end_time + buffer_minutes * interval '1 minute'
    ), booking.id, false
    FROM booking, mentor
    UNION ALL
    SELECT :attending_id, mentee_user_id, NULL, tstzrange(start_time, end_time), id,
           CAST(:mentee_overlap AS boolean)
    FROM booking WHERE mentee_user_id IS NOT NULL
)
"""

# Follows a CTE `session` that holds the cancelled session: its time can be booked again.
RELEASE_TIME = """
released AS (
    DELETE FROM person_busy USING session WHERE person_busy.booking_id = session.booking_id
)
"""

# Of a person `{user_id}`: whether they could not take part as a mentee between two times, as the guard of the calendar
# will find it.
IS_BUSY = """
EXISTS (
    SELECT FROM person_busy
    WHERE person_busy.user_id = {user_id}
      AND person_busy.busy && tstzrange({start_time}, {end_time})
      AND (person_busy.expires_at IS NULL OR person_busy.expires_at > now())
      AND (person_busy.mentor_profile_id IS NOT NULL OR NOT CAST(:mentee_overlap AS boolean))
)
"""
_IS_BUSY = sql("SELECT " + IS_BUSY.format(user_id=":user_id", start_time=":start_time", end_time=":end_time"))


def require_free(
    db: Connection, user_id: UUID, start_time: datetime, end_time: datetime, *, mentee_overlap: bool
) -> None:
    """Refuse a person who could not take part from start to end, before that is tried.

    Args:
        mentee_overlap: whether sessions of a person as a mentee may overlap.

    Raises:
        Conflict: `slot_taken` with `details.mentee`.
    """
    times = {"start_time": start_time, "end_time": end_time}
    if db.scalar(_IS_BUSY, {"user_id": user_id, "mentee_overlap": mentee_overlap, **times}):
        raise mentee_taken()
