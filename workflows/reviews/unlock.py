"""Unlock a review: each mentee of a completed session may write one, for thirty days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, text
from uuid_utils.compat import uuid7

from workflows.events.catalogue import ReviewUnlocked
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.reviews.permit import Permit

OPEN = timedelta(days=30)

_MENTEES = text(
    "SELECT booking_id, user_id FROM booking_participants WHERE booking_id = ANY(CAST(:booking_ids AS uuid[]))"
).columns(booking_id=Uuid(), user_id=Uuid())
# In one order, so that two who write the same permits at once wait for one another, and never in a circle.
_UNLOCK = text(
    f"""
INSERT INTO review_permits (id, session_id, mentee_user_id, mentor_profile_id, unlocked_at, expires_at)
SELECT permit.*
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:session_ids AS uuid[]), CAST(:mentees AS uuid[]), CAST(:mentors AS uuid[]),
    CAST(:unlocked_at AS timestamptz[]), CAST(:expires_at AS timestamptz[])
) AS permit(id, session_id, mentee_user_id, mentor_profile_id, unlocked_at, expires_at)
ORDER BY permit.session_id, permit.mentee_user_id
ON CONFLICT DO NOTHING
RETURNING {", ".join(column.name for column in Permit.columns())}
"""
).columns(*Permit.columns())


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A completed session whose review is to be unlocked.

    Args:
        mentee_user_id: the one mentee; None for a group, whose mentees are read.
        completed_at: the thirty days begin then, however late this runs.
        now: when it is unlocked.
    """

    session_id: UUID
    booking_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    completed_at: datetime
    now: datetime


def unlock_all(db: Connection, completed: list[Completed]) -> None:
    """Write a permit per mentee, once each, and record `review.unlocked` of each that was written (domain rule 8)."""
    permits = list(_permits(db, completed))
    if not permits:
        return
    columns = ("ids", "session_ids", "mentees", "mentors", "unlocked_at", "expires_at")
    written = db.execute(_UNLOCK, dict(zip(columns, map(list, zip(*permits, strict=True)), strict=True)))
    of_session = {each.session_id: each for each in completed}
    events = []
    for permit in map(Permit.of, written):
        session = of_session[permit.session_id]
        told = {"session_id": session.session_id, "booking_id": session.booking_id}
        events.append(ReviewUnlocked.about(permit, actor=SYSTEM, now=session.now, **told))
    if events:
        record(db, *events)


def _permits(db: Connection, completed: Sequence[Completed]) -> Iterator[tuple[Any, ...]]:
    groups = [each.booking_id for each in completed if each.mentee_user_id is None]
    joined: dict[UUID, list[UUID]] = {}
    for row in db.execute(_MENTEES, {"booking_ids": groups}) if groups else ():
        joined.setdefault(row.booking_id, []).append(row.user_id)
    for each in completed:
        mentees = [each.mentee_user_id] if each.mentee_user_id else joined.get(each.booking_id, [])
        for mentee in mentees:
            times = (each.completed_at, each.completed_at + OPEN)
            yield uuid7(), each.session_id, mentee, each.mentor_profile_id, *times
