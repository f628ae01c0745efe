"""Sessions: the records, the lists, and who has access."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select

from models.base import spelled
from models.bookings import bookings
from models.catalog import listings
from models.sessions import SessionStatus, sessions
from workflows.errors import Forbidden
from workflows.identity.actor import Actor
from workflows.paging import LATEST_START_FIRST, Page, PagedList, newest_start_first
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class Session(Record):
    """The meeting of an accepted booking. Times in UTC.

    `rating` and `feedback` are the mentor's own record of the meeting, not a review.
    """

    table = sessions

    id: UUID
    booking_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    course_id: UUID | None
    start_time: datetime
    end_time: datetime
    status: SessionStatus
    title: str | None
    description: str | None
    notes: str | None
    metadata: dict[str, Any] | None
    rating: int | None
    feedback: str | None
    action_items: list[str] | None
    started_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    cancellation: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True, kw_only=True)
class SessionToStart(Session):
    """A session with its listing's early-start window."""

    early_start_minutes: int | None


SESSION = Session.query().where(sessions.c.id == bindparam("id"))


def session_query(session_id: UUID) -> Select[Any]:
    """The session of that id."""
    return Session.query().where(sessions.c.id == session_id)


def session_to_start_query(session_id: UUID) -> Select[Any]:
    """The session of that id, with its listing's `early_start_minutes`."""
    return (
        select(*Session.columns(), listings.c.early_start_minutes)
        .join_from(sessions, bookings, bookings.c.id == sessions.c.booking_id)
        .join(listings, listings.c.id == bookings.c.listing_id)
        .where(sessions.c.id == session_id)
    )


def sessions_query(
    page: Page,
    *,
    mentee_user_id: UUID | None = None,
    mentor_profile_id: UUID | None = None,
    status: SessionStatus | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
) -> Select[Any]:
    """The sessions of a mentee or of a mentor, the latest start first.

    Args:
        from_time: sessions that start then or later.
        to_time: sessions that start before then.
    """
    query = Session.query()
    if mentee_user_id is not None:
        query = query.where(sessions.c.mentee_user_id == mentee_user_id)
    if mentor_profile_id is not None:
        query = query.where(sessions.c.mentor_profile_id == mentor_profile_id)
    if status is not None:
        query = query.where(sessions.c.status == spelled(status))
    if from_time is not None:
        query = query.where(sessions.c.start_time >= from_time)
    if to_time is not None:
        query = query.where(sessions.c.start_time < to_time)
    return newest_start_first(query, page, sessions.c.start_time, sessions.c.id)


SESSIONS = PagedList(Session, LATEST_START_FIRST, sessions_query)


def is_mentor(actor: Actor, session: Session) -> bool:
    """Whether the caller acts as the session's mentor."""
    return actor.mentor_profile_id is not None and actor.mentor_profile_id == session.mentor_profile_id


def is_mentee(actor: Actor, session: Session) -> bool:
    """Whether the caller is the session's mentee."""
    return actor.user_id is not None and actor.user_id == session.mentee_user_id


def require_mentor(actor: Actor, session: Session) -> None:
    """Refuse every caller but the session's mentor.

    Raises:
        Forbidden: somebody else, the mentee included.
    """
    if not is_mentor(actor, session):
        raise Forbidden("Only the mentor of this session can do this.")


def require_mentee(actor: Actor, session: Session) -> None:
    """Refuse every caller but the session's mentee.

    Raises:
        Forbidden: somebody else.
    """
    if not is_mentee(actor, session):
        raise Forbidden("Only the mentee of this session can do this.")


def require_party(actor: Actor, session: Session) -> None:
    """Refuse every caller but the session's two parties.

    Raises:
        Forbidden: the session is other people's.
    """
    if not (is_mentor(actor, session) or is_mentee(actor, session)):
        raise Forbidden("Only the mentor and the mentee of this session can do this.")


def require_access(actor: Actor, session: Session) -> None:
    """Refuse every caller but the session's two parties and operators.

    Raises:
        Forbidden: the session is other people's.
    """
    if not actor.operator:
        require_party(actor, session)
