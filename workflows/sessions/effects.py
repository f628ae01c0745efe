"""What followed, and what is still to follow, from everything that happened to a session."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from models.events import deliveries, events
from models.webhooks import webhook_endpoints
from workflows.events.delivery import DeliveryStatus
from workflows.identity.actor import Actor
from workflows.sessions.session import Session
from workflows.webhooks.deliveries import IS_WEBHOOK


@dataclass(frozen=True, kw_only=True)
class EffectOfSession(DeliveryStatus):
    """One delivery, in the words of whoever looks at the session."""

    delivery_id: UUID
    effect: str
    event: str


def effects_of(db: Connection, session: Session, *, seen_by: Actor | None = None) -> list[EffectOfSession]:
    """Every delivery of the session's and its booking's events, in the order in which these happened.

    Args:
        seen_by: whoever looks. Who else listens by webhook is nobody's business but operators', so that everybody
            else sees the messages to endpoints of their own alone; None sees everything.
    """
    query = (
        select(
            deliveries.c.id.label("delivery_id"),
            deliveries.c.effect,
            events.c.type.label("event"),
            *DeliveryStatus.columns(),
        )
        .join_from(events, deliveries, deliveries.c.event_id == events.c.id)
        .where(events.c.subject_id.in_([session.booking_id, session.id]))
        .order_by(events.c.sequence, deliveries.c.effect, deliveries.c.target)
    )
    if seen_by is not None and not seen_by.operator:
        query = query.where(_shown_to(seen_by))
    return [EffectOfSession.of(row) for row in db.execute(query)]


def _shown_to(actor: Actor) -> ColumnElement[bool]:
    # In how many browsers the other side reads, and what operators are told beside, is no party's business.
    public = deliveries.c.effect.not_in(["webhooks.send", "push.send", "channels.send"])
    if actor.mentor_profile_id is None:
        return public
    own = select(webhook_endpoints.c.id).where(webhook_endpoints.c.mentor_profile_id == actor.mentor_profile_id)
    return or_(public, and_(IS_WEBHOOK, deliveries.c.endpoint_id.in_(own)))
