"""Permits: each mentee of a completed session may review it once, for thirty days."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Exists, Select, Uuid, exists
from uuid_utils.compat import uuid7

from models.base import sql
from models.reviews import review_permits, reviews
from workflows.events.event_types import ReviewUnlocked, SessionCompleted
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.identity.parties import shown_parties
from workflows.kernel.paging import PagedList
from workflows.kernel.records import Record

OPEN_FOR = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Permit(Record):
    """Open from `unlocked_at` until `expires_at`, UTC, unless the review has been written or it was withdrawn."""

    table = review_permits

    id: UUID
    session_id: UUID
    mentee_user_id: UUID
    mentor_profile_id: UUID
    unlocked_at: datetime
    expires_at: datetime
    # As it was read to be shown.
    mentor: dict[str, Any] | None = None
    mentee: dict[str, Any] | None = None


_MENTEES = sql(
    "SELECT booking_id, user_id FROM booking_participants WHERE booking_id = ANY(CAST(:booking_ids AS uuid[]))"
).columns(booking_id=Uuid(), user_id=Uuid())
# For the session's mentees whose attendance was corrected after its completion. An upsert, so that it makes no
# difference whether the permits of all mentees have been written yet.
_CORRECT = sql(f"""
INSERT INTO review_permits (
    id, session_id, mentee_user_id, mentor_profile_id, unlocked_at, expires_at, withdrawn_at
)
SELECT permit.id, :session_id, permit.mentee, :mentor_profile_id,
       :unlocked_at, :expires_at,
       CASE WHEN NOT permit.present THEN :now END
FROM unnest(CAST(:ids AS uuid[]), CAST(:mentees AS uuid[]), CAST(:present AS boolean[])) AS permit(id, mentee, present)
ORDER BY permit.mentee
ON CONFLICT (session_id, mentee_user_id) DO UPDATE SET withdrawn_at = excluded.withdrawn_at
RETURNING {Permit.names()}, withdrawn_at
""").columns(*Permit.columns(), review_permits.c.withdrawn_at)
# In one order, so that two transactions that write the same permits wait for one another without a deadlock.
_UNLOCK = sql(f"""
INSERT INTO review_permits (id, session_id, mentee_user_id, mentor_profile_id, unlocked_at, expires_at)
SELECT permit.*
FROM (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:session_ids AS uuid[]), CAST(:mentees AS uuid[]), CAST(:mentors AS uuid[]),
        CAST(:unlocked_at AS timestamptz[]), CAST(:expires_at AS timestamptz[])
    ) AS permit(id, session_id, mentee_user_id, mentor_profile_id, unlocked_at, expires_at)
    -- The absent get none.
    WHERE NOT EXISTS (
        SELECT FROM sessions s JOIN booking_participants p ON p.booking_id = s.booking_id
        WHERE s.id = permit.session_id AND p.user_id = permit.mentee_user_id AND NOT p.present
    )
) AS permit
ORDER BY permit.session_id, permit.mentee_user_id
ON CONFLICT DO NOTHING
RETURNING {Permit.names()}
""").columns(*Permit.columns())


def permit_query(session_id: UUID, mentee_user_id: UUID) -> Select[Any]:
    """The mentee's permit of that session, in any state, with the columns `used` and `withdrawn_at`."""
    return (
        Permit.query()
        .add_columns(_used().label("used"), review_permits.c.withdrawn_at)
        .where(review_permits.c.session_id == session_id, review_permits.c.mentee_user_id == mentee_user_id)
    )


def open_permits_query(*, now: datetime) -> Select[Any]:
    """The permits that are neither used nor expired nor withdrawn; ids are by completion."""
    permit = review_permits.c
    query = Permit.query().add_columns(*shown_parties("review_permits"))
    return query.where(permit.expires_at > now, permit.withdrawn_at.is_(None), ~_used())


OPEN_PERMITS = PagedList(Permit, rows=open_permits_query, of=("mentee_user_id",))


def unlock_all(db: Connection, completed: list[tuple[SessionCompleted, datetime]]) -> None:
    """Write a permit for each mentee, once each, and record `review.unlocked` of each that was written.

    Args:
        completed: each completion, and the moment of its unlocking; the thirty days begin with the completion.
    """
    permits = list(_permits(db, [event for event, _now in completed]))
    if not permits:
        return
    columns = ("ids", "session_ids", "mentees", "mentors", "unlocked_at", "expires_at")
    written = db.execute(_UNLOCK, dict(zip(columns, map(list, zip(*permits, strict=True)), strict=True)))
    of_session = {event.session_id: (event, now) for event, now in completed}
    events = []
    for permit in map(Permit.of, written):
        event, now = of_session[permit.session_id]
        ids = {"session_id": permit.session_id, "booking_id": event.booking_id}
        events.append(ReviewUnlocked.about(permit, actor=SYSTEM, now=now, traceparent=event.traceparent, **ids))
    if events:
        record(db, *events)


def correct_permits(
    db: Connection,
    *,
    session_id: UUID,
    booking_id: UUID,
    mentor_profile_id: UUID,
    completed_at: datetime,
    present: Mapping[UUID, bool],
    now: datetime,
) -> None:
    """Withdraw the permits of mentees who were absent after all, and give those back who were not.

    Args:
        present: of mentees whose attendance has changed; `review.unlocked` is recorded of those who were present.
    """
    values = {
        "ids": [uuid7() for _mentee in present],
        "mentees": list(present),
        "present": list(present.values()),
        "session_id": session_id,
        "mentor_profile_id": mentor_profile_id,
        "unlocked_at": completed_at,
        "expires_at": completed_at + OPEN_FOR,
        "now": now,
    }
    ids = {"session_id": session_id, "booking_id": booking_id}
    rows = db.execute(_CORRECT, values).all()
    opened = [Permit.of(row) for row in rows if row.withdrawn_at is None and row.expires_at > now]
    if opened:
        record(db, *(ReviewUnlocked.about(permit, actor=SYSTEM, now=now, **ids) for permit in opened))


def _permits(db: Connection, completed: Sequence[SessionCompleted]) -> Iterator[tuple[Any, ...]]:
    groups = [each.booking_id for each in completed if each.mentee_user_id is None]
    participants: dict[UUID, list[UUID]] = {}
    for row in db.execute(_MENTEES, {"booking_ids": groups}) if groups else ():
        participants.setdefault(row.booking_id, []).append(row.user_id)
    for each in completed:
        mentees = [each.mentee_user_id] if each.mentee_user_id else participants.get(each.booking_id, [])
        for mentee in mentees:
            times = (each.occurred_at, each.occurred_at + OPEN_FOR)
            yield uuid7(), each.session_id, mentee, each.mentor_profile_id, *times


def _used() -> Exists:
    return exists().where(
        reviews.c.session_id == review_permits.c.session_id, reviews.c.mentee_user_id == review_permits.c.mentee_user_id
    )
