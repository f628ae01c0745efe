"""Notifications about a webhook endpoint: their words, and the owner who gets them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select

from models.people import mentor_profiles, users
from models.webhooks import EndpointState, webhook_endpoints
from workflows.events.event_types import WebhookEndpointEvent
from workflows.kernel.language import gettext_noop
from workflows.notifications.texts import Words, compose


@dataclass(frozen=True, kw_only=True)
class EndpointNews:
    """The words, and the mentor's user; None for an endpoint of the operators."""

    kind: str
    owner_user_id: UUID | None
    words: Words


def news_of(db: Connection, event: WebhookEndpointEvent) -> EndpointNews | None:
    """Put an event into words, in the owner's time zone; None when the endpoint is gone."""
    row = db.execute(_endpoint_with_owner(event.webhook_endpoint_id)).one_or_none()
    if row is None:
        return None
    kind = event.type.replace(".", "_")
    words = compose(
        kind,
        row.locale,
        url=row.url,
        # It may have recovered meanwhile.
        failing_since=row.failing_since or event.occurred_at,
        reason=row.disabled_reason or gettext_noop("It could not be reached."),
        pending=row.state is EndpointState.PENDING,
        last_error=getattr(event, "last_error", None),
        time_zone=row.time_zone or "UTC",
    )
    return EndpointNews(kind=kind, owner_user_id=row.user_id, words=words)


def _endpoint_with_owner(endpoint_id: UUID) -> Select[Any]:
    endpoints = webhook_endpoints.c
    return (
        select(endpoints.url, endpoints.state, endpoints.failing_since, endpoints.disabled_reason)
        .add_columns(users.c.time_zone, users.c.locale, users.c.id.label("user_id"))
        .join_from(
            webhook_endpoints, mentor_profiles, mentor_profiles.c.id == endpoints.mentor_profile_id, isouter=True
        )
        .join(users, users.c.id == mentor_profiles.c.user_id, isouter=True)
        .where(endpoints.id == endpoint_id)
    )
