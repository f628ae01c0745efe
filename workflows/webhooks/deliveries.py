"""What endpoints have been sent and are still to be sent, with every attempt, as their owners see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    literal_column,
    select,
    true,
)

from models.base import spelled
from models.events import DeliveryState, ErrorClass, deliveries, delivery_attempts, events
from models.webhooks import EndpointState, webhook_endpoints
from workflows.errors import Forbidden
from workflows.events.delivery import ShownDelivery
from workflows.identity.actor import Actor
from workflows.paging import NEWEST_EVENT_FIRST, Page, PagedList, newest_event_first
from workflows.records import Record

# Literal, so that the index over these deliveries alone is known to be enough.
IS_WEBHOOK = deliveries.c.effect == literal_column("'webhooks.send'")
OURS = "Something went wrong on our side, not on yours."


@dataclass(frozen=True, kw_only=True)
class WebhookDelivery(ShownDelivery):
    """One message to one endpoint; a resend of a message that has arrived is another one, with the same event."""

    endpoint_id: UUID
    endpoint_state: EndpointState
    mentor_profile_id: UUID | None
    last_status_code: int | None
    last_error_class: str | None

    @property
    def told_error(self) -> str | None:
        """What its owner reads of the last failure."""
        return _told(self.last_error, self.last_error_class)


@dataclass(frozen=True, kw_only=True)
class Attempt(Record):
    """One attempt to reach the endpoint."""

    table = delivery_attempts

    attempt: int
    outcome: str
    error: str | None
    error_class: str | None
    status_code: int | None
    response: str | None
    duration_ms: int
    created_at: datetime

    @property
    def began_at(self) -> datetime:
        """When it was made: the row was written when it was over."""
        return self.created_at - timedelta(milliseconds=self.duration_ms)

    @property
    def told_error(self) -> str | None:
        """What the endpoint's owner reads of the failure."""
        return _told(self.error, self.error_class)


def delivery_query(delivery_id: UUID) -> Select[Any]:
    """The delivery of that id, to an endpoint that is there."""
    return (
        select(*_columns(deliveries.c))
        .join_from(deliveries, events, events.c.id == deliveries.c.event_id)
        .join(webhook_endpoints, webhook_endpoints.c.id == deliveries.c.endpoint_id)
        .where(deliveries.c.id == delivery_id, IS_WEBHOOK)
    )


def deliveries_query(
    page: Page,
    *,
    mentor_profile_id: UUID | None = None,
    endpoint_id: UUID | None = None,
    of_any_owner: bool = False,
    state: DeliveryState | None = None,
) -> Select[Any]:
    """The deliveries to a mentor's endpoints, or for None to those of the operators; the newest events first.

    Args:
        endpoint_id: to this endpoint alone.
        of_any_owner: whoever owns the endpoint.
        state: deliveries in this state alone.
    """
    endpoints = webhook_endpoints.c
    wanted = [] if of_any_owner else [endpoints.mentor_profile_id == mentor_profile_id]
    if endpoint_id is not None:
        wanted.append(endpoints.id == endpoint_id)
    of_one = select(deliveries).where(IS_WEBHOOK, deliveries.c.endpoint_id == webhook_endpoints.c.id)
    if state is not None:
        of_one = of_one.where(deliveries.c.state == spelled(state))
    # A page of each endpoint by the index, and then the first of them all: never a whole history to be sorted.
    of_one = newest_event_first(of_one, page, deliveries.c.event_id, deliveries.c.id)
    newest = of_one.correlate(webhook_endpoints).lateral("newest")
    return (
        select(*_columns(newest.c))
        .select_from(webhook_endpoints.join(newest, true()).join(events, events.c.id == newest.c.event_id))
        .where(*wanted)
        .order_by(newest.c.event_id.desc(), newest.c.id.desc())
        .limit(page.limit + 1)
    )


WEBHOOK_DELIVERIES = PagedList(WebhookDelivery, NEWEST_EVENT_FIRST, deliveries_query)


def attempts_of(db: Connection, delivery: WebhookDelivery) -> list[Attempt]:
    """Every attempt that was recorded, in their order."""
    attempts = delivery_attempts.c
    query = (
        Attempt.query()
        .where(
            attempts.event_id == delivery.event_id,
            attempts.effect == literal_column("'webhooks.send'"),
            attempts.target == delivery.target,
        )
        .order_by(attempts.attempt)
    )
    return [Attempt.of(row) for row in db.execute(query)]


def keeper_of_endpoint(actor: Actor, delivery: WebhookDelivery) -> None:
    """Refuse everybody but the owner of the delivery's endpoint.

    Raises:
        Forbidden: the endpoint is somebody else's.
    """
    own = actor.mentor_profile_id is not None and actor.mentor_profile_id == delivery.mentor_profile_id
    if not (own or actor.operator):
        raise Forbidden("Only the owner of its webhook endpoint sees this delivery.")


def _told(error: str | None, error_class: str | None) -> str | None:
    # Our defects are for operators to read.
    return OURS if error is not None and error_class == ErrorClass.INTERNAL else error


def _columns(delivery: Any) -> list[ColumnElement[Any]]:
    own = ("id", "event_id", "target", "state", "attempts", "due_at", "last_error", "done_at", "created_at")
    return [
        *(delivery[name] for name in own),
        webhook_endpoints.c.id.label("endpoint_id"),
        webhook_endpoints.c.state.label("endpoint_state"),
        webhook_endpoints.c.mentor_profile_id,
        events.c.type.label("event_type"),
        _of_last_attempt(delivery, delivery_attempts.c.status_code).label("last_status_code"),
        _of_last_attempt(delivery, delivery_attempts.c.error_class).label("last_error_class"),
    ]


def _of_last_attempt(delivery: Any, column: ColumnElement[Any]) -> ScalarSelect[Any]:
    attempts = delivery_attempts.c
    return (
        select(column)
        .where(
            attempts.event_id == delivery.event_id,
            attempts.effect == delivery.effect,
            attempts.target == delivery.target,
        )
        .order_by(attempts.attempt.desc())
        .limit(1)
        .scalar_subquery()
    )
