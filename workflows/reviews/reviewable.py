"""A session beside those who may review it, for whoever wants to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, func, select

from models.bookings import booking_participants
from models.sessions import sessions
from workflows.errors import Forbidden
from workflows.identity.actor import Actor
from workflows.sessions.session import Session


@dataclass(frozen=True, kw_only=True)
class ReviewableSession(Session):
    """A session with the users who take part in it besides its mentor: one, or of a group several."""

    mentees: list[UUID]


def reviewable_query(session_id: UUID) -> Select[Any]:
    """The session of that id, whatever its state, with its mentees."""
    joined = (
        select(booking_participants.c.user_id)
        .where(booking_participants.c.booking_id == sessions.c.booking_id)
        .scalar_subquery()
    )
    mentees = func.array(joined, type_=ARRAY(Uuid)).label("mentees")
    return select(*Session.columns(), mentees).where(sessions.c.id == session_id)


def reviewer_of(actor: Actor, session: ReviewableSession) -> None:
    """Refuse everybody who is not a mentee of the session.

    Raises:
        Forbidden: the caller is the mentor, or the session is other people's.
    """
    if actor.user_id not in session.mentees:
        raise Forbidden("Only a mentee of this session may review it.")
