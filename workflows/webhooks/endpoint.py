"""A webhook endpoint as the rules see it, who may do what with it, and how to find endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from models.webhooks import EndpointState, Signing, webhook_endpoints, webhook_secrets
from workflows.errors import Conflict, Forbidden, Invalid
from workflows.events.catalogue import announced_types
from workflows.identity.actor import Actor
from workflows.paging import NEWEST_FIRST, Page, PagedList, newest_first
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class Endpoint(Record):
    """Where a partner listens; `mentor_profile_id` is None for an operator's, which hears everything.

    Of `headers` the values are sealed.
    """

    table = webhook_endpoints

    id: UUID
    mentor_profile_id: UUID | None
    url: str
    event_types: list[str]
    description: str | None
    headers: dict[str, Any]
    rate_limit: int | None
    state: EndpointState
    disabled_reason: str | None
    signing: Signing
    created_at: datetime
    version: int


def checked_event_types(event_types: Sequence[str]) -> list[str]:
    """The names, each once.

    Raises:
        Invalid: none, or one that is neither an event, nor a family such as `session.*`, nor `*`.
    """
    known = announced_types()
    wanted = {*known, *(name.partition(".")[0] + ".*" for name in known), "*"}
    unknown = sorted(set(event_types) - wanted)
    if unknown or not event_types:
        reasons = [f"unknown event type {name}" for name in unknown] or ["must name at least one event type"]
        raise Invalid("These are no event types to listen for.", details={"eventTypes": reasons})
    return list(dict.fromkeys(event_types))


def endpoint_query(endpoint_id: UUID) -> Select[Any]:
    """The endpoint of that id."""
    return Endpoint.query().where(webhook_endpoints.c.id == endpoint_id)


def endpoints_query(page: Page, *, mentor_profile_id: UUID | None = None) -> Select[Any]:
    """The endpoints of that mentor, or for None those of the operators; the newest first."""
    # With None, SQLAlchemy writes IS NULL; IS NOT DISTINCT FROM would know no index.
    query = Endpoint.query().where(webhook_endpoints.c.mentor_profile_id == mentor_profile_id)
    return newest_first(query, page, webhook_endpoints.c.id)


ENDPOINTS = PagedList(Endpoint, NEWEST_FIRST, endpoints_query)


def sealed_secrets(db: Connection, endpoint_id: UUID) -> list[str]:
    """The endpoint's valid secrets as they are stored, the newest first."""
    secrets = webhook_secrets.c
    query = select(secrets.sealed_secret).where(secrets.endpoint_id == endpoint_id, is_valid())
    return list(db.scalars(query.order_by(secrets.id.desc())))


def is_valid() -> ColumnElement[bool]:
    """Whether a row of webhook_secrets signs now, by the database's clock."""
    expires_at = webhook_secrets.c.expires_at
    return or_(expires_at.is_(None), expires_at > func.now())


def keeper_of(actor: Actor, endpoint: Endpoint) -> None:
    """Refuse everybody but the endpoint's owner: its mentor, or any operator.

    Raises:
        Forbidden: the endpoint is somebody else's.
    """
    own = actor.mentor_profile_id is not None and actor.mentor_profile_id == endpoint.mentor_profile_id
    if not (own or actor.operator):
        raise Forbidden("Only its owner sees this webhook endpoint.")


def listening(state: EndpointState) -> None:
    """Refuse to send what an endpoint would not be told.

    Raises:
        Conflict: the endpoint is not active.
    """
    if state is not EndpointState.ACTIVE:
        raise Conflict(
            f"The endpoint is {state} and hears of nothing; make it active first.", code="endpoint_not_active"
        )
