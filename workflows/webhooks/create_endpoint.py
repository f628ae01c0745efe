"""Create a webhook endpoint: it gets a secret and a signed ping, and hears of events once it has answered that."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert
from uuid_utils.compat import uuid7

from models.webhooks import webhook_endpoints, webhook_secrets
from workflows.errors import Forbidden, Invalid
from workflows.events.catalogue import announced_types
from workflows.identity.actor import Actor
from workflows.webhooks.endpoint import Endpoint
from workflows.webhooks.ping_endpoint import ping_endpoint

SECRET_BYTES = 32
MAX_URL = 2048


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
) -> Endpoint:
    """Write the endpoint with its secret, and ping it.

    Args:
        event_types: names of events, families such as `session.*`, or `*`.
        seal: encrypts the secret for storage.
        headers: sent along with every message.
        rate_limit: messages a second, None for no limit of its own.

    Raises:
        Forbidden: the caller is neither an operator nor acts as a mentor.
        Invalid: an address or an event type that makes no sense.
        IntegrityError: the owner has an endpoint with this address already.
    """
    if not actor.operator and actor.mentor_profile_id is None:
        raise Forbidden("Webhook endpoints belong to operators and mentors.")
    _check_url(url)
    _check_event_types(event_types)
    row = db.execute(
        insert(webhook_endpoints)
        .values(
            id=uuid7(),
            mentor_profile_id=actor.mentor_profile_id,
            url=url,
            event_types=list(dict.fromkeys(event_types)),
            description=description,
            headers=headers or {},
            rate_limit=rate_limit,
        )
        .returning(*Endpoint.columns())
    ).one()
    endpoint = Endpoint.of(row)
    db.execute(insert(webhook_secrets).values(id=uuid7(), endpoint_id=endpoint.id, sealed_secret=seal(new_secret())))
    ping_endpoint(db, actor=actor, endpoint=endpoint, now=now)
    return endpoint


def new_secret() -> str:
    """A symmetric secret as Standard Webhooks wants it: `whsec_` and the base64 of 24 to 64 random bytes."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise _invalid_url("is not a URL") from error
    if parts.scheme not in ("https", "http") or not host:
        raise _invalid_url("must begin with https:// and name a host")
    if parts.username is not None or parts.password is not None or parts.fragment or len(url) > MAX_URL:
        raise _invalid_url(f"has no credentials, no fragment and at most {MAX_URL} characters")
    if not url.isascii() or any(character <= " " for character in url):
        raise _invalid_url("has no spaces, control characters or characters outside ASCII")


def _invalid_url(reason: str) -> Invalid:
    return Invalid("This is no address that a webhook can be sent to.", details={"url": [reason]})


def _check_event_types(event_types: Sequence[str]) -> None:
    known = announced_types()
    wanted = {*known, *(name.partition(".")[0] + ".*" for name in known), "*"}
    unknown = sorted(set(event_types) - wanted)
    if unknown or not event_types:
        reasons = [f"unknown event type {name}" for name in unknown] or ["must name at least one event type"]
        raise Invalid("These are no event types to listen for.", details={"eventTypes": reasons})
