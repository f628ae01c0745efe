"""A delivery of any effect as operators see it, and how to find deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from models.base import spelled
from models.events import DeliveryState, deliveries, events
from workflows.errors import Forbidden
from workflows.events.delivery import ShownDelivery
from workflows.identity.actor import Actor
from workflows.paging import NEWEST_EVENT_FIRST, Page, PagedList, newest_event_first


@dataclass(frozen=True, kw_only=True)
class OperatedDelivery(ShownDelivery):
    """One run of one effect for one event, with what its event was about."""

    effect: str
    queue: str
    subject_type: str
    subject_id: UUID


def operated_query(delivery_id: UUID) -> Select[Any]:
    """The delivery of that id, whatever its effect."""
    return _query().where(deliveries.c.id == delivery_id)


def operated_deliveries_query(
    page: Page, *, state: DeliveryState | None = None, effect: str | None = None
) -> Select[Any]:
    """The deliveries in a state, or of an effect, or all: those of the newest events first."""
    query = _query()
    if state is not None:
        query = query.where(deliveries.c.state == spelled(state))
    if effect is not None:
        query = query.where(deliveries.c.effect == effect)
    return newest_event_first(query, page, deliveries.c.event_id, deliveries.c.id)


OPERATED_DELIVERIES = PagedList(OperatedDelivery, NEWEST_EVENT_FIRST, operated_deliveries_query)


def for_operators(actor: Actor) -> None:
    """Refuse everybody but operators.

    Raises:
        Forbidden: the caller is no operator.
    """
    if not actor.operator:
        raise Forbidden("Only an operator does this.")


def _query() -> Select[Any]:
    of_event = (events.c.type.label("event_type"), events.c.subject_type, events.c.subject_id)
    return select(*OperatedDelivery.columns(), *of_event).join_from(
        deliveries, events, events.c.id == deliveries.c.event_id
    )
