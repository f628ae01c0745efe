"""What followed, and what is still to follow, from everything that happened to a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from models.events import DeliveryState, deliveries, events
from workflows.sessions.session import Session


@dataclass(frozen=True, kw_only=True)
class EffectOfSession:
    """One delivery, in the words of whoever looks at the session."""

    delivery_id: UUID
    effect: str
    event: str
    target: str
    state: DeliveryState
    attempts: int
    due_at: datetime
    done_at: datetime | None
    last_error: str | None


def effects_of(db: Connection, session: Session) -> list[EffectOfSession]:
    """Every delivery of the session's and its booking's events, in the order in which these happened."""
    rows = db.execute(
        select(
            deliveries.c.id.label("delivery_id"),
            deliveries.c.effect,
            events.c.type.label("event"),
            deliveries.c.target,
            deliveries.c.state,
            deliveries.c.attempts,
            deliveries.c.due_at,
            deliveries.c.done_at,
            deliveries.c.last_error,
        )
        .join_from(events, deliveries, deliveries.c.event_id == events.c.id)
        .where(events.c.subject_id.in_([session.booking_id, session.id]))
        .order_by(events.c.sequence, deliveries.c.effect, deliveries.c.target)
    )
    return [EffectOfSession(**row._mapping) for row in rows]
