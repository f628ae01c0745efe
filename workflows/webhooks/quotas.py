"""Quotas of webhook endpoints: how many an owner has and makes, and how many messages are sent at an owner's word."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from models.webhooks import webhook_endpoints
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict
from workflows.kernel.locks import lock_name
from workflows.kernel.quotas import DAY, HOUR, Quota, use_quota

MAX_ENDPOINTS = 50
# Each new endpoint is pinged: deleted and made again and again, they would reach an address at any rate.
ENDPOINTS_PER_DAY = 100
_CREATED = Quota(
    "webhook_endpoint.created",
    ENDPOINTS_PER_DAY,
    DAY,
    "You have created very many webhook endpoints today; change the ones that you have, or wait.",
)
# Operators share their endpoints.
_OPERATORS = UUID(int=0)


@dataclass(frozen=True)
class MessageQuotas:
    """How many messages an hour are sent to one endpoint at its owner's word; 0 is any number."""

    pings: int = 0  # pings and examples together
    resends: int = 0  # of single deliveries
    recoveries: int = 0  # of what an endpoint missed


NO_QUOTAS = MessageQuotas()


def use_ping(db: Connection, endpoint_id: UUID, quotas: MessageQuotas) -> None:
    """Count a ping or an example of an endpoint; raises RateLimited after too many within an hour."""
    refusal = "This endpoint has been sent many pings and examples; wait before you ask for the next one."
    use_quota(db, Quota("webhook_endpoint.ping", quotas.pings, HOUR, refusal), endpoint_id)


def use_resend(db: Connection, endpoint_id: UUID, quotas: MessageQuotas) -> None:
    """Count a resend of one of an endpoint's deliveries; raises RateLimited after too many within an hour."""
    refusal = "Many messages to this endpoint have been sent again; wait, or recover all of a time at once."
    use_quota(db, Quota("webhook_endpoint.resend", quotas.resends, HOUR, refusal), endpoint_id)


def use_recovery(db: Connection, endpoint_id: UUID, quotas: MessageQuotas) -> None:
    """Count a recovery of an endpoint; raises RateLimited after too many within an hour."""
    refusal = "This endpoint has been recovered several times; wait, or ask for a longer time at once."
    use_quota(db, Quota("webhook_endpoint.recovery", quotas.recoveries, HOUR, refusal), endpoint_id)


def require_room(db: Connection, actor: Actor) -> None:
    """Require that the caller may have another endpoint, and count it.

    Raises:
        Conflict: the owner has as many as there may be.
        RateLimited: the owner has created too many within a day.
    """
    # Two requests at once must not both find the last free place.
    owner = str(actor.mentor_profile_id or "operators")
    lock_name(db, f"webhook endpoints of {owner}")
    owned = select(func.count()).where(
        webhook_endpoints.c.mentor_profile_id.is_not_distinct_from(actor.mentor_profile_id)
    )
    if (db.scalar(owned) or 0) >= MAX_ENDPOINTS:
        raise Conflict(
            f"There are {MAX_ENDPOINTS} endpoints at most; delete one that is not needed any more.",
            code="endpoint_limit",
        )
    use_quota(db, _CREATED, actor.mentor_profile_id or _OPERATORS)
