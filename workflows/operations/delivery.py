"""A delivery of any effect as operators see it, and how to find deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from sqlalchemy import ColumnElement, Select, literal_column, select, tuple_

from models.events import DeliveryState, deliveries, events
from workflows.errors import Forbidden
from workflows.identity.actor import Actor
from workflows.paging import Page
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class OperatedDelivery(Record):
    """One run of one effect for one event, with what its event was about."""

    table = deliveries

    id: UUID
    event_id: UUID
    effect: str
    queue: str
    target: str
    state: DeliveryState
    attempts: int
    due_at: datetime
    done_at: datetime | None
    last_error: str | None
    created_at: datetime
    event_type: str
    subject_type: str
    subject_id: UUID

    @property
    def next_attempt_at(self) -> datetime | None:
        """When it is tried next; None when it is not."""
        return self.due_at if self.state is DeliveryState.PENDING else None

    @property
    def version(self) -> int:
        """A number that changes with whatever can be seen of it: deliveries count no versions of their own."""
        return crc32(repr((self.id, self.state, self.attempts, self.next_attempt_at, self.last_error)).encode())


def operated_query(delivery_id: UUID) -> Select[Any]:
    """The delivery of that id, whatever its effect."""
    return _query().where(deliveries.c.id == delivery_id)


def operated_deliveries_query(
    page: Page, *, state: DeliveryState | None = None, effect: str | None = None
) -> Select[Any]:
    """The deliveries in a state, or of an effect, or all: those of the newest events first."""
    query = _query()
    if state is not None:
        query = query.where(deliveries.c.state == in_words(state))
    if effect is not None:
        query = query.where(deliveries.c.effect == effect)
    if page.after is not None:
        # The first condition alone bounds the index scan; that of the pair would not.
        key = tuple_(deliveries.c.event_id, deliveries.c.id)
        query = query.where(deliveries.c.event_id <= page.after[0], key < tuple_(*page.after))
    return query.order_by(deliveries.c.event_id.desc(), deliveries.c.id.desc()).limit(page.limit + 1)


def in_words(state: DeliveryState) -> ColumnElement[Any]:
    """The state as a literal: only so the indexes over one state are known to be enough, in any plan."""
    return literal_column(f"'{state.value}'")


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
