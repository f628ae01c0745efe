"""SQL that blocks and releases a booking's time in the calendars of its mentor and mentee, under their locks."""

from __future__ import annotations

# Every writer of a mentor's calendar takes this lock first (order everywhere: mentor, mentees by id, booking, session,
# bundle): two overlapping inserts that race inside the exclusion check alone deadlock. NO KEY, so that what only
# refers to the mentor is not kept waiting.
LOCK_MENTOR = """
mentor AS (
    SELECT id FROM mentor_profiles WHERE id = CAST(:mentor_profile_id AS uuid) FOR NO KEY UPDATE
)
"""

# The same, and no row where the calendar has changed since it was read: after waiting for the lock, PostgreSQL looks
# at the row as it stands then.
LOCK_MENTOR_UNCHANGED = """
mentor AS (
    SELECT id FROM mentor_profiles
    WHERE id = CAST(:mentor_profile_id AS uuid) AND calendar_version = :calendar_version FOR NO KEY UPDATE
)
"""

# A draft blocks no time, so that several may be written at once; a change of the calendar waits for them.
SHARE_MENTOR_UNCHANGED = LOCK_MENTOR_UNCHANGED.replace("FOR NO KEY UPDATE", "FOR SHARE")

# The same for the calendar of the mentee of an individual booking, unless their account has been erased meanwhile.
LOCK_MENTEE = """
mentee AS (
    SELECT users.id FROM users, mentor
    WHERE users.id = CAST(:mentee_user_id AS uuid) AND users.erased_at IS NULL FOR NO KEY UPDATE OF users
)
"""

# Follows a CTE `booking` that holds the accepted booking. A constraint cannot know the time: an expired hold is
# deleted by the booking that takes its place, as is one that the mentee has on it. The function sees also the hold that
# the mentee has taken while this statement, which would not see it, waited for the mentor's lock.
BLOCK_TIME = """
wanted AS (
    SELECT id, mentor_profile_id, mentee_user_id, tstzrange(
        start_time - buffer_before_minutes * interval '1 minute', end_time + buffer_minutes * interval '1 minute'
    ) AS busy
    FROM booking
),
taken AS (
    INSERT INTO mentor_busy (id, mentor_profile_id, busy, booking_id)
    SELECT CAST(:busy_id AS uuid), mentor_profile_id, busy, id
    FROM wanted WHERE end_holds(mentor_profile_id, mentee_user_id, busy)
),
attending AS (
    INSERT INTO mentee_busy (booking_id, user_id, busy)
    SELECT id, mentee_user_id, tstzrange(start_time, end_time) FROM booking
    WHERE mentee_user_id IS NOT NULL AND NOT CAST(:mentee_overlap AS boolean)
)
"""

# Follows a CTE `session` that holds the cancelled session: its time can be booked again.
RELEASE_TIME = """
released AS (
    DELETE FROM mentor_busy USING session WHERE mentor_busy.booking_id = session.booking_id
),
mentees_released AS (
    DELETE FROM mentee_busy USING session WHERE mentee_busy.booking_id = session.booking_id
)
"""
