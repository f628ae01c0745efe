"""Webhook endpoints: the record, and how to find endpoints."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select

from models.webhooks import EndpointState, Signing, webhook_endpoints
from workflows.kernel.errors import Conflict
from workflows.kernel.paging import PagedList
from workflows.kernel.records import Record


@dataclass(frozen=True, kw_only=True)
class Endpoint(Record):
    """A partner's URL; `mentor_profile_id` is None for an operator's, which gets every event.

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
    failures: int
    failing_since: datetime | None
    open_until: datetime | None
    created_at: datetime
    version: int


def endpoints_query(*, mentor_profile_id: UUID | None = None) -> Select[Any]:
    """The endpoints of that mentor, or for None of the operators."""
    # With None, SQLAlchemy writes IS NULL; IS NOT DISTINCT FROM would know no index.
    return Endpoint.query().where(webhook_endpoints.c.mentor_profile_id == mentor_profile_id)


ENDPOINTS = PagedList(Endpoint, rows=endpoints_query)


def require_active(state: EndpointState | None) -> None:
    """Require an endpoint that messages are sent to.

    Args:
        state: None for an endpoint that is deleted.

    Raises:
        Conflict: the endpoint is not active.
    """
    if state is None:
        raise Conflict("The endpoint has been deleted.", code="endpoint_not_active")
    if state is not EndpointState.ACTIVE:
        raise Conflict(f"The endpoint is {state}; make it active first.", code="endpoint_not_active")
