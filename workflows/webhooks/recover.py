"""Recover what an endpoint missed while it was out of order or not active: sent again, in its order and at a pace."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.errors import Invalid
from workflows.identity.actor import Actor
from workflows.webhooks.endpoint import Endpoint, keeper_of, listening
from workflows.webhooks.failed import find_failed, send_again
from workflows.webhooks.health import PER_SECOND
from workflows.webhooks.missed import LOOK_BACK

MOST = 10_000


def recover(
    db: Connection, *, actor: Actor, endpoint: Endpoint, since: datetime, now: datetime, until: datetime | None = None
) -> int:
    """Send again what failed in that time, of the types that the endpoint asks for; returns how many there were.

    A dead delivery gets all its attempts again. One that was cancelled since the endpoint was not active is followed by
    another of the same event, unless one followed already.

    Args:
        since: the earliest event, at most 14 days back.
        until: the first event that is left alone; None for now.

    Raises:
        Forbidden: the endpoint is somebody else's.
        Conflict: the endpoint is not active.
        Invalid: a time too long ago, yet to come, or that ends before it begins.
    """
    keeper_of(actor, endpoint)
    _check(since, until or now, now)
    listening(endpoint.state)
    failed = find_failed(db, endpoint, since=since, until=until or now, most=MOST)
    return send_again(db, failed, per_second=PER_SECOND)


def _check(since: datetime, until: datetime, now: datetime) -> None:
    if since < now - LOOK_BACK:
        raise _invalid("since", f"Must be at most {LOOK_BACK.days} days ago.")
    if since > now:
        raise _invalid("since", "Must not be in the future.")
    if until <= since and until != now:
        raise _invalid("until", "Must be after since.")


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid("There is nothing to recover in that time.", details={field: [reason]})
