"""Actions on webhook endpoints: create, change, delete and ping them, and rotate their secrets."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, true, update
from uuid_utils.compat import uuid7

from models.webhooks import (
    ENDPOINT_TRANSITIONS,
    EndpointState,
    Signing,
    deleted_webhook_endpoints,
    webhook_endpoints,
    webhook_secrets,
)
from workflows.events import claim, repair
from workflows.events.event_types import WebhookExampleAsked, WebhookPinged, announced_types
from workflows.events.record import record
from workflows.identity.access import OPERATOR_OR_MENTOR, require_endpoint_owner, require_role
from workflows.identity.actor import Actor
from workflows.kernel.address import Network, checked_address
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition, NotFound, Stale
from workflows.kernel.expired import ExpiredRows
from workflows.webhooks.headers import checked_headers, sealed_headers
from workflows.webhooks.health import HEALTHY
from workflows.webhooks.messages import body_of
from workflows.webhooks.quotas import NO_QUOTAS, MessageQuotas, require_room, use_ping
from workflows.webhooks.records import Endpoint, require_active
from workflows.webhooks.secrets import checked_secret, new_secret

MAX_VALID_SECRETS = 10
MAX_CANCELLED = 10_000
ENDPOINTS_AT_ONCE = 20
DELETED = "The webhook endpoint has been deleted."
NO_SUCH_ENDPOINT = "There is no such webhook endpoint any more."
ROTATION_GRACE = timedelta(hours=24)
# Owners pause an active endpoint and resume a paused one; every other step follows from how pings are answered.
STATES_BY_OWNER = frozenset({EndpointState.ACTIVE, EndpointState.PAUSED})


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
        rate_limit: messages a second, None for no limit of its own.

    Raises:
        Forbidden: the caller is neither an operator nor acts as a mentor.
        Invalid: an address, an event type or a header that makes no sense.
        Conflict: the owner has as many endpoints as there may be.
        RateLimited: the owner has created too many within a day.
        IntegrityError: the owner has an endpoint with this address already.
    """
    require_role(actor, OPERATOR_OR_MENTOR)
    settings = {"url": url, "event_types": event_types, "headers": headers}
    columns = _checked(settings, seal, allowed) | {
        "description": description,
        "rate_limit": rate_limit,
        "signing": signing,
    }
    require_room(db, actor)
    row = db.execute(
        insert(webhook_endpoints)
        .values(id=uuid7(), mentor_profile_id=actor.mentor_profile_id, **columns)
        .returning(*Endpoint.columns())
    ).one()
    endpoint = Endpoint.of(row)
    _store_secret(db, endpoint, seal(new_secret(signing)))
    _ping(db, actor, endpoint, now)
    return endpoint


def change_endpoint(
    db: Connection,
    *,
    actor: Actor,
    endpoint: Endpoint,
    changes: dict[str, Any],
    seal: Callable[[str], str],
    now: datetime,
    allowed: Sequence[Network] = (),
    quotas: MessageQuotas = NO_QUOTAS,
    any_version: bool = False,
) -> Endpoint:
    """Change an endpoint. One with a new address is pending until it has answered a ping.

    Args:
        changes: columns of `webhook_endpoints` by name; `state` pauses an active endpoint, or resumes a paused one.

    Raises:
        Forbidden: the endpoint has another owner.
        NotFound: it has been deleted meanwhile.
        Invalid: a change that makes no sense.
        InvalidTransition: a state that does not follow upon the present one by hand.
        RateLimited: a new address, which is pinged, when there have been too many pings.
        Stale: it has changed since `endpoint` was read.
        IntegrityError: the owner has an endpoint with this address already.
    """
    require_endpoint_owner(actor, endpoint)
    values = _checked(changes, seal, allowed)
    endpoint = _present(db, endpoint, any_version=any_version)
    moved = values.get("url", endpoint.url) != endpoint.url
    if "state" in values:
        _require_step(endpoint.state, values["state"], moved=moved)
        values |= HEALTHY
    if moved:
        values |= {"state": EndpointState.PENDING, "disabled_reason": None, **HEALTHY}
    if "rate_limit" in values:
        # Turns under another limit are not counted, and those that come later than now need be are hastened.
        values["next_send_at"] = None
    if "rate_limit" in values or values.get("state") is EndpointState.ACTIVE:
        values["hastens"] = True
    if not values:
        return endpoint
    row = db.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint.id)
        .values(**values)
        .returning(*Endpoint.columns())
    ).one()
    changed = Endpoint.of(row)
    if values.get("hastens"):
        repair.hasten_postponed(db, endpoint.id)
    if moved:
        # Messages that were postponed for the old address become due when the new one answers.
        ping_endpoint(db, actor=actor, endpoint=changed, now=now, quotas=quotas)
    return changed


def delete_endpoint(db: Connection, *, actor: Actor, endpoint: Endpoint, any_version: bool = False) -> None:
    """Delete it with its secrets, and cancel its pending deliveries.

    Those that are more than 10,000 are cancelled by `maintain`, and so are those that a sender has in hand, unless they
    arrive.

    Raises:
        Forbidden: the endpoint has another owner.
        NotFound: it has been deleted meanwhile.
        Stale: it has changed since `endpoint` was read.
    """
    require_endpoint_owner(actor, endpoint)
    _present(db, endpoint, any_version=any_version)
    endpoints = webhook_endpoints.c
    deleted = (
        delete(webhook_endpoints)
        .where(endpoints.id == endpoint.id)
        .returning(endpoints.id, endpoints.mentor_profile_id)
        .cte("deleted")
    )
    columns = ["id", "mentor_profile_id", "deliveries_left"]
    db.execute(insert(deleted_webhook_endpoints).from_select(columns, select(deleted, true())))
    cancel_of_deleted(db, endpoint.id)


def cancel_of_deleted(db: Connection, endpoint_id: UUID, *, limit: int = MAX_CANCELLED) -> bool:
    """Cancel a page of what is pending for a deleted endpoint; returns whether the page was full."""
    full = repair.cancel_of_deleted_endpoint(db, endpoint_id, DELETED, limit=limit) == limit
    if not full and not repair.has_pending_of_endpoint(db, endpoint_id):
        of_endpoint = deleted_webhook_endpoints.c.id == endpoint_id
        db.execute(update(deleted_webhook_endpoints).where(of_endpoint).values(deliveries_left=False))
    return full


def cancel_left_deliveries(db: Connection, *, limit: int = MAX_CANCELLED) -> bool:
    """Cancel a page of what is pending for each of some deleted endpoints; returns whether there may be more at once.

    A message that a sender has in hand is left until its lease has ended.
    """
    deleted = deleted_webhook_endpoints.c
    left = select(deleted.id).where(deleted.deliveries_left).order_by(deleted.id).limit(ENDPOINTS_AT_ONCE)
    ids = list(db.scalars(left.with_for_update(skip_locked=True)))
    return any([cancel_of_deleted(db, endpoint_id, limit=limit) for endpoint_id in ids])


def ping_endpoint(
    db: Connection, *, actor: Actor, endpoint: Endpoint, now: datetime, quotas: MessageQuotas = NO_QUOTAS
) -> WebhookPinged:
    """Record a ping; it is sent, and tried again, like any other message, and a 2xx makes the endpoint active.

    Raises:
        Forbidden: the endpoint has another owner.
        RateLimited: there have been too many pings and examples.
    """
    require_endpoint_owner(actor, endpoint)
    use_ping(db, endpoint.id, quotas)
    return _ping(db, actor, endpoint, now)


def _ping(db: Connection, actor: Actor, endpoint: Endpoint, now: datetime) -> WebhookPinged:
    ping = WebhookPinged(actor=actor.name, occurred_at=now, webhook_endpoint_id=endpoint.id)
    record(db, ping)
    return ping


def activate(db: Connection, endpoint_id: UUID, *, url: str) -> None:
    """Make an endpoint active that has answered a ping, and hasten what was postponed. A paused one stays paused.

    Args:
        url: where the ping was answered; when the endpoint has moved since, its new address has answered nothing yet.
    """
    endpoints = webhook_endpoints.c
    db.execute(
        update(webhook_endpoints)
        .where(
            endpoints.id == endpoint_id,
            endpoints.state.in_([EndpointState.PENDING, EndpointState.DISABLED]),
            endpoints.url == url,
        )
        .values(state=EndpointState.ACTIVE, disabled_reason=None, hastens=True)
    )


def hasten_postponed(db: Connection, *, limit: int = claim.TURNS_PAGE) -> bool:
    """Hasten a page of what was postponed for each of some endpoints; returns whether there may be more at once."""
    endpoints = webhook_endpoints.c
    waited_for = select(endpoints.id).where(endpoints.hastens).order_by(endpoints.id).limit(ENDPOINTS_AT_ONCE)
    ids = list(db.scalars(waited_for.with_for_update(skip_locked=True, key_share=True)))
    return any([repair.hasten_postponed(db, endpoint_id, limit=limit) for endpoint_id in ids])


def send_example(
    db: Connection,
    *,
    actor: Actor,
    endpoint: Endpoint,
    event_type: str,
    now: datetime,
    quotas: MessageQuotas = NO_QUOTAS,
) -> WebhookExampleAsked:
    """Record that an example was asked for; it is sent, signed and tried again like any other message.

    Raises:
        Forbidden: the endpoint has another owner.
        Invalid: there is no such type, or its message would be too large.
        Conflict: the endpoint is not active.
        RateLimited: there have been too many pings and examples.
    """
    require_endpoint_owner(actor, endpoint)
    if event_type not in announced_types():
        raise Invalid(
            "There is no such event type; GET /event-types lists them.",
            details={"eventType": [f"unknown event type {event_type}"]},
        )
    require_active(endpoint.state)
    example = WebhookExampleAsked(
        actor=actor.name, occurred_at=now, webhook_endpoint_id=endpoint.id, example_type=event_type
    )
    # A message that is too large is refused in the answer to the request.
    body_of(example)
    use_ping(db, endpoint.id, quotas)
    record(db, example)
    return example


forget_former_secrets = ExpiredRows("webhook_secrets", "expires_at < now() - interval '1 day'", order="expires_at")


def is_valid() -> ColumnElement[bool]:
    """Whether a row of webhook_secrets signs now, by the database's clock."""
    expires_at = webhook_secrets.c.expires_at
    return or_(expires_at.is_(None), expires_at > func.now())


def sealed_secrets(db: Connection, endpoint_id: UUID) -> list[str]:
    """The endpoint's valid secrets as they are stored, the newest first."""
    secrets = webhook_secrets.c
    query = select(secrets.sealed_secret).where(secrets.endpoint_id == endpoint_id, is_valid())
    return list(db.scalars(query.order_by(secrets.id.desc())))


def rotate_secret(
    db: Connection,
    *,
    actor: Actor,
    endpoint: Endpoint,
    seal: Callable[[str], str],
    grace: timedelta = ROTATION_GRACE,
    secret: str | None = None,
) -> str:
    """Store a new secret, and return it.

    Args:
        grace: for how long the old secrets stay valid; those that would end sooner, do.
        secret: the owner's own; None for a fresh one.

    Raises:
        Forbidden: the endpoint has another owner.
        Invalid: a secret of the owner's that does not fit the endpoint's way of signing.
        Conflict: ten secrets would be valid besides.
        NotFound: the endpoint has been deleted meanwhile.
    """
    require_endpoint_owner(actor, endpoint)
    chosen = checked_secret(secret, endpoint.signing) if secret else new_secret(endpoint.signing)
    # Two rotations at once: the second counts what the first one left.
    locked = select(webhook_endpoints.c.id).where(webhook_endpoints.c.id == endpoint.id)
    if db.scalar(locked.with_for_update(key_share=True)) is None:
        raise NotFound(NO_SUCH_ENDPOINT)
    theirs = webhook_secrets.c.endpoint_id == endpoint.id
    db.execute(delete(webhook_secrets).where(theirs, ~is_valid()))
    # LEAST ignores nulls: what never ended, ends then.
    end = func.least(webhook_secrets.c.expires_at, func.now() + grace)
    db.execute(update(webhook_secrets).where(theirs).values(expires_at=end))
    _store_secret(db, endpoint, seal(chosen))
    if (db.scalar(select(func.count()).where(theirs, is_valid())) or 0) > MAX_VALID_SECRETS:
        raise Conflict(
            f"An endpoint has at most {MAX_VALID_SECRETS} valid secrets; let old ones expire, or choose graceHours 0.",
            code="secret_limit",
        )
    return chosen


def checked_event_types(event_types: Sequence[str], field: str = "eventTypes") -> list[str]:
    """The names, each once: of events, families such as `session.*`, or `*`; raises Invalid for others, or none."""
    known = announced_types()
    wanted = {*known, *(name.partition(".")[0] + ".*" for name in known), "*"}
    unknown = sorted(set(event_types) - wanted)
    if unknown or not event_types:
        reasons = [f"unknown event type {name}" for name in unknown] or ["must name at least one event type"]
        raise Invalid("These are no event types to listen for.", details={field: reasons})
    return list(dict.fromkeys(event_types))


def types_among(names: Sequence[str]) -> list[str]:
    """The event types that these names stand for: of types, of families such as `session.*`, or `*` for all."""
    return [each for each in announced_types() if {each, each.partition(".")[0] + ".*", "*"} & set(names)]


def _checked(changes: dict[str, Any], seal: Callable[[str], str], allowed: Sequence[Network]) -> dict[str, Any]:
    checked = dict(changes)
    if "url" in checked:
        checked["url"] = checked_address(checked["url"], allowed)
    if "event_types" in checked:
        checked["event_types"] = checked_event_types(checked["event_types"])
    if "headers" in checked:
        checked["headers"] = sealed_headers(checked_headers(checked["headers"] or {}), seal)
    return checked


def _require_step(before: EndpointState, after: EndpointState, *, moved: bool) -> None:
    if moved:
        raise Invalid(
            "A new address is pending until it answers a ping.",
            details={"state": ["Must not be set along with a new url."]},
        )
    if not {before, after} <= STATES_BY_OWNER or after not in ENDPOINT_TRANSITIONS[before]:
        raise InvalidTransition(
            f"This endpoint is {before}: an active one can be paused, a paused one made active, and any other one"
            " becomes active by answering a ping."
        )


def _store_secret(db: Connection, endpoint: Endpoint, sealed: str) -> None:
    db.execute(insert(webhook_secrets).values(id=uuid7(), endpoint_id=endpoint.id, sealed_secret=sealed))


def _present(db: Connection, endpoint: Endpoint, *, any_version: bool) -> Endpoint:
    """The present endpoint, locked: outcomes of messages change it, too."""
    query = Endpoint.by_id(endpoint.id).with_for_update(key_share=True, of=webhook_endpoints)
    row = db.execute(query).one_or_none()
    if row is None:
        raise NotFound(NO_SUCH_ENDPOINT)
    present = Endpoint.of(row)
    if present.version != endpoint.version and not any_version:
        raise Stale("endpoint")
    return present
