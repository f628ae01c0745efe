"""Create a webhook endpoint: it gets a secret and a signed ping, and hears of events once it has answered that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select
from uuid_utils.compat import uuid7

from models.webhooks import Signing, webhook_endpoints, webhook_secrets
from workflows.errors import Conflict, Forbidden
from workflows.identity.actor import Actor
from workflows.webhooks.address import Network, checked_address
from workflows.webhooks.endpoint import Endpoint, checked_event_types
from workflows.webhooks.headers import checked_headers, sealed_headers
from workflows.webhooks.ping_endpoint import ping_endpoint
from workflows.webhooks.secrets import new_secret

MOST_ENDPOINTS = 50


def create_endpoint(
    db: Connection,
    *,
    actor: Actor,
    url: str,
    event_types: Sequence[str],
    seal: Callable[[str], str],
    now: datetime,
    description: str | None = None,
    headers: dict[str, str] | None = None,
    rate_limit: int | None = None,
    signing: Signing = Signing.HMAC_SHA256,
    allowed: Sequence[Network] = (),
) -> Endpoint:
    """Write the endpoint with its secret, and ping it.

    Args:
        event_types: names of events, families such as `session.*`, or `*`.
        seal: encrypts the secret and the headers' values for storage.
        headers: sent along with every message.
        rate_limit: messages a second, None for no limit of its own.
        allowed: the networks that may be reached besides the public internet.

    Raises:
        Forbidden: the caller is neither an operator nor acts as a mentor.
        Invalid: an address, an event type or a header that makes no sense.
        Conflict: the owner has as many endpoints as there may be.
        IntegrityError: the owner has an endpoint with this address already.
    """
    if not actor.operator and actor.mentor_profile_id is None:
        raise Forbidden("Webhook endpoints belong to operators and mentors.")
    columns = {
        "url": checked_address(url, allowed),
        "event_types": checked_event_types(event_types),
        "headers": sealed_headers(checked_headers(headers or {}), seal),
        "description": description,
        "rate_limit": rate_limit,
        "signing": signing,
    }
    _check_room(db, actor)
    row = db.execute(
        insert(webhook_endpoints)
        .values(id=uuid7(), mentor_profile_id=actor.mentor_profile_id, **columns)
        .returning(*Endpoint.columns())
    ).one()
    endpoint = Endpoint.of(row)
    secret = seal(new_secret(signing))
    db.execute(insert(webhook_secrets).values(id=uuid7(), endpoint_id=endpoint.id, sealed_secret=secret))
    ping_endpoint(db, actor=actor, endpoint=endpoint, now=now)
    return endpoint


def _check_room(db: Connection, actor: Actor) -> None:
    # Whoever creates two at once must not find room for both in the one place that is left.
    db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"webhook endpoints of {_owner(actor)}", 0))))
    owned = select(func.count()).where(
        webhook_endpoints.c.mentor_profile_id.is_not_distinct_from(actor.mentor_profile_id)
    )
    if (db.scalar(owned) or 0) >= MOST_ENDPOINTS:
        raise Conflict(
            f"There are {MOST_ENDPOINTS} endpoints at most; delete one that is not needed any more.",
            code="endpoint_limit",
        )


def _owner(actor: Actor) -> str:
    return str(actor.mentor_profile_id or "operators")
