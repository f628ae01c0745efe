"""Change a webhook endpoint, pause it and go on, or delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, update

from models.webhooks import ENDPOINT_TRANSITIONS, EndpointState, webhook_endpoints
from workflows.errors import Invalid, InvalidTransition, Stale
from workflows.identity.actor import Actor
from workflows.webhooks.address import Network, checked_address
from workflows.webhooks.endpoint import Endpoint, checked_event_types, keeper_of
from workflows.webhooks.headers import checked_headers, sealed_headers
from workflows.webhooks.ping_endpoint import NOTHING_AGAINST_IT, ping_endpoint

# Only these two steps are made by hand; a ping that is answered makes the others active.
BY_HAND = frozenset({EndpointState.ACTIVE, EndpointState.PAUSED})


def change_endpoint(
    db: Connection,
    *,
    actor: Actor,
    endpoint: Endpoint,
    changes: dict[str, Any],
    seal: Callable[[str], str],
    now: datetime,
    allowed: Sequence[Network] = (),
) -> Endpoint:
    """Change where, of what and how an endpoint is told. A new address is pending until it has answered a ping.

    Args:
        endpoint: as the caller saw it.
        changes: columns of `webhook_endpoints` by name; `state` pauses an active endpoint, or lets a paused one go on.
        seal: encrypts headers' values for storage.
        allowed: the networks that may be reached besides the public internet.

    Raises:
        Forbidden: the endpoint is somebody else's.
        Invalid: a change that makes no sense.
        InvalidTransition: a state that does not follow upon the present one by hand.
        Stale: somebody changed or deleted it since `endpoint` was read.
        IntegrityError: the owner has an endpoint with this address already.
    """
    keeper_of(actor, endpoint)
    values = _checked(changes, seal, allowed)
    moved = values.get("url", endpoint.url) != endpoint.url
    if "state" in values:
        _check_step(endpoint.state, values["state"], moved=moved)
        values |= NOTHING_AGAINST_IT
    if moved:
        values |= {"state": EndpointState.PENDING, "disabled_reason": None, **NOTHING_AGAINST_IT}
    if not values:
        return endpoint
    changed = _write(db, endpoint, values)
    if moved:
        ping_endpoint(db, actor=actor, endpoint=changed, now=now)
    return changed


def delete_endpoint(db: Connection, *, actor: Actor, endpoint: Endpoint) -> None:
    """Delete it with its secrets; what it was still to be told is not sent any more.

    Raises:
        Forbidden: the endpoint is somebody else's.
        Stale: somebody changed or deleted it since `endpoint` was read.
    """
    keeper_of(actor, endpoint)
    endpoints = webhook_endpoints.c
    deleted = delete(webhook_endpoints).where(endpoints.id == endpoint.id, endpoints.version == endpoint.version)
    if db.execute(deleted).rowcount == 0:
        raise _stale()


def _checked(changes: dict[str, Any], seal: Callable[[str], str], allowed: Sequence[Network]) -> dict[str, Any]:
    checked = dict(changes)
    if "url" in checked:
        checked["url"] = checked_address(checked["url"], allowed)
    if "event_types" in checked:
        checked["event_types"] = checked_event_types(checked["event_types"])
    if "headers" in checked:
        checked["headers"] = sealed_headers(checked_headers(checked["headers"] or {}), seal)
    return checked


def _check_step(before: EndpointState, after: EndpointState, *, moved: bool) -> None:
    if moved:
        raise Invalid(
            "A new address is pending until it answers a ping.",
            details={"state": ["Must not be set along with a new url."]},
        )
    if not {before, after} <= BY_HAND or after not in ENDPOINT_TRANSITIONS[before]:
        raise InvalidTransition(
            f"This endpoint is {before}: an active one can be paused, a paused one made active, and any other one"
            " becomes active by answering a ping."
        )


def _write(db: Connection, endpoint: Endpoint, values: dict[str, Any]) -> Endpoint:
    endpoints = webhook_endpoints.c
    row = db.execute(
        update(webhook_endpoints)
        .where(endpoints.id == endpoint.id, endpoints.version == endpoint.version)
        .values(**values)
        .returning(*Endpoint.columns())
    ).one_or_none()
    if row is None:
        raise _stale()
    return Endpoint.of(row)


def _stale() -> Stale:
    return Stale("The endpoint has been changed or deleted since it was read; read it again.")
