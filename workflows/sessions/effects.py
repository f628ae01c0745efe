"""What followed, and what is still to follow, from everything that happened to a session."""

from __future__ import annotations

from sqlalchemy import Connection

from workflows.events.delivery import DeliveryStatus
from workflows.events.store import statuses_of_subjects
from workflows.identity.actor import Actor
from workflows.sessions.session import Session


def effects_of(db: Connection, session: Session, *, seen_by: Actor | None = None) -> list[DeliveryStatus]:
    """Every delivery of the session's and its booking's events, in the order in which these happened.

    Args:
        seen_by: who looks. Everybody but operators sees only what is not operators' business, and the messages to
            webhook endpoints of their own; None sees everything.
    """
    everything = seen_by is None or seen_by.operator
    mentor = seen_by.mentor_profile_id if seen_by else None
    return statuses_of_subjects(db, [session.booking_id, session.id], everything=everything, mentor_profile_id=mentor)
