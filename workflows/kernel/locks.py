"""Locks of rows, in the order in which every transaction takes them.

1. mentor profiles, by id
2. users, by id
3. bookings, by id
4. group sessions, by the id of the booking
5. sessions, by id
6. bundles, by id
7. payments, by id

Two transactions that take several of them in one order wait for one another, and never deadlock. The locks are NO KEY,
so that rows which only refer to a locked row are not kept waiting. Constants are parts of statements, which take their
locks with the change itself; a CTE that locks several rows is counted, so that all of them are locked before anything
follows.

Two kinds of locks are with their statements: of rows that are locked as they are read, such as a bundle, and of rows
that workers take from a queue and skip while another worker has them.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from models.base import sql

# Every writer of a mentor's hours and calendar takes this lock first.
LOCK_MENTOR = """
mentor AS (
    SELECT id, user_id FROM mentor_profiles WHERE id = :mentor_profile_id FOR NO KEY UPDATE
)
"""

# The same, and no row where the calendar has changed since it was read: after waiting for the lock, PostgreSQL reads
# the present row.
LOCK_MENTOR_UNCHANGED = """
mentor AS (
    SELECT id, user_id FROM mentor_profiles
    WHERE id = :mentor_profile_id AND calendar_version = :calendar_version FOR NO KEY UPDATE
)
"""

# A draft blocks no time, so that several may be written at once; a change of the calendar waits for them.
SHARE_MENTOR_UNCHANGED = LOCK_MENTOR_UNCHANGED.replace("FOR NO KEY UPDATE", "FOR SHARE")

# The mentee of a draft, which blocks no time, unless their account has been erased meanwhile.
LOCK_MENTEE = """
mentee AS (
    SELECT users.id FROM users, mentor
    WHERE users.id = :mentee_user_id AND users.erased_at IS NULL FOR NO KEY UPDATE OF users
)
"""

# The mentee of a purchase, which waits for a deletion of the account.
SHARE_MENTEE = "mentee AS (SELECT erased_at FROM users WHERE id = :mentee_user_id FOR SHARE)"

# The calendars of the mentor and, but for a group, of the mentee, whichever part each of them takes elsewhere: two
# overlapping inserts that race inside the exclusion check alone deadlock. They are counted so that both are locked
# before anything follows; `people` has no row where the mentee's account has been erased meanwhile.
LOCK_PEOPLE = """
locked AS (
    SELECT users.id = :mentee_user_id AND users.erased_at IS NULL AS is_mentee FROM users, mentor
    WHERE users.id IN (mentor.user_id, :mentee_user_id)
    ORDER BY users.id FOR NO KEY UPDATE OF users
),
people AS (
    SELECT count(*) FROM locked HAVING :mentee_user_id IS NULL OR bool_or(is_mentee)
)
"""

# The group of the session `:id`, after the lock of its mentor: who joins or leaves holds it.
LOCK_GROUP_OF_SESSION = """
locked_group AS (
    SELECT g.booking_id FROM mentor, sessions s JOIN group_sessions g ON g.booking_id = s.booking_id
    WHERE s.id = :id
    FOR NO KEY UPDATE OF g
)
"""
_CALENDAR = sql("SELECT time_zone FROM mentor_profiles WHERE id = :id FOR NO KEY UPDATE")
_CALENDAR_SHARED = sql("SELECT id FROM mentor_profiles WHERE id = :id FOR SHARE")
_MENTORS = sql("SELECT id FROM mentor_profiles WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE")
_USER = sql("SELECT email, version, erased_at FROM users WHERE id = :id FOR NO KEY UPDATE")
_USERS = sql("SELECT id FROM users WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE")
_USER_SHARED = sql("SELECT name, time_zone FROM users WHERE id = :id AND erased_at IS NULL FOR SHARE")
_USER_WITH_PROFILE = sql("""
WITH profile AS (SELECT id FROM mentor_profiles WHERE user_id = :id FOR NO KEY UPDATE)
SELECT users.id FROM users, (SELECT count(*) FROM profile) AS locked
WHERE users.id = :id FOR NO KEY UPDATE OF users
""")
# For itself: a form behind a link that ends with the address has acted by then, or does not act.
LOCK_AGAINST_LINKS = sql("SELECT id FROM users WHERE id = :user_id FOR UPDATE")
_NAME = sql("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_BOOKINGS = sql("SELECT id FROM bookings WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE")
_GROUP = sql("SELECT booking_id FROM group_sessions WHERE booking_id = :id FOR NO KEY UPDATE")
_PERSON_AND_GROUP = sql("""
WITH person AS (SELECT id FROM users WHERE id = :user_id AND erased_at IS NULL FOR NO KEY UPDATE)
SELECT g.booking_id FROM group_sessions g, person WHERE g.booking_id = :id FOR NO KEY UPDATE OF g
""")
_GROUPS_OF_SESSIONS = sql("""
SELECT g.booking_id FROM group_sessions g JOIN bookings b ON b.id = g.booking_id
WHERE b.session_id = ANY(CAST(:ids AS uuid[])) ORDER BY g.booking_id FOR NO KEY UPDATE OF g
""")
_PEOPLE_OF_BOOKING = sql("""
SELECT id FROM users WHERE id IN (
    SELECT user_id FROM mentor_profiles WHERE id = :mentor_profile_id
    UNION ALL SELECT user_id FROM booking_participants WHERE booking_id = :booking_id
    UNION ALL SELECT user_id FROM person_busy WHERE booking_id = :booking_id
)
ORDER BY id FOR NO KEY UPDATE
""")
_SESSIONS = sql("SELECT id FROM sessions WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE")


def lock_calendar(db: Connection, mentor_profile_id: UUID) -> str:
    """Let other changes of a mentor's calendar wait for the transaction's end; returns the time zone of the profile."""
    time_zone: str = db.execute(_CALENDAR, {"id": mentor_profile_id}).scalar_one()
    return time_zone


def share_calendar(db: Connection, mentor_profile_id: UUID) -> None:
    """Let changes of a mentor's calendar wait for the end of the transaction, and other drafts go on."""
    db.execute(_CALENDAR_SHARED, {"id": mentor_profile_id})


def lock_mentors(db: Connection, mentor_profile_ids: Collection[UUID]) -> None:
    """Lock the calendars of several mentors, as `lock_calendar` does with one."""
    db.execute(_MENTORS, {"ids": list(mentor_profile_ids)})


def lock_user(db: Connection, user_id: UUID) -> Row[Any]:
    """Lock a user; returns their `email`, `version` and `erased_at` under the lock."""
    return db.execute(_USER, {"id": user_id}).one()


def lock_users(db: Connection, user_ids: Collection[UUID]) -> None:
    """Lock several users, whose calendars change."""
    db.execute(_USERS, {"ids": list(user_ids)})


def share_user(db: Connection, user_id: UUID) -> Row[Any] | None:
    """Let a deletion of the account wait; returns the user's `name` and `time_zone`, None for no such user."""
    return db.execute(_USER_SHARED, {"id": user_id}).one_or_none()


def lock_name(db: Connection, name: str) -> None:
    """Let transactions that count the same rows wait for one another, where no row stands for all of them."""
    db.execute(_NAME, {"name": name})


def lock_user_with_profile(db: Connection, user_id: UUID) -> None:
    """Lock a user's mentor profile and then the user: a change of the name changes the profile's search words."""
    db.execute(_USER_WITH_PROFILE, {"id": user_id})


def lock_against_links(db: Connection, user_id: UUID) -> None:
    """Wait until each action by a link that was mailed to a user has ended, and keep further ones from the user."""
    db.execute(LOCK_AGAINST_LINKS, {"user_id": user_id})


def lock_group(db: Connection, booking_id: UUID) -> None:
    """Lock a group before its seats or its waiting list change.

    No such change needs the lock of the mentor: the group holds the mentor's time already.
    """
    db.execute(_GROUP, {"id": booking_id})


def lock_person_and_group(db: Connection, *, user_id: UUID, booking_id: UUID) -> bool:
    """Lock a person, whose time a seat blocks, and the group; returns whether there is such a person."""
    return db.execute(_PERSON_AND_GROUP, {"id": booking_id, "user_id": user_id}).one_or_none() is not None


def lock_people_of_booking(db: Connection, *, mentor_profile_id: UUID, booking_id: UUID) -> set[UUID]:
    """Lock the people of a booking, whose times move with it, after the lock of its mentor; returns their ids."""
    values = {"mentor_profile_id": mentor_profile_id, "booking_id": booking_id}
    return set(db.scalars(_PEOPLE_OF_BOOKING, values))


def lock_bookings_and_sessions(db: Connection, bookings: Collection[str], sessions: Collection[str]) -> None:
    """Lock bookings, and sessions after their groups."""
    db.execute(_BOOKINGS, {"ids": list(bookings)})
    for statement in (_GROUPS_OF_SESSIONS, _SESSIONS):
        db.execute(statement, {"ids": list(sessions)})
