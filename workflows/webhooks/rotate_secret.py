"""Rotate an endpoint's secret: the new one signs at once, and the old ones along with it for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, delete, func, insert, select, update
from uuid_utils.compat import uuid7

from models.webhooks import webhook_endpoints, webhook_secrets
from workflows.errors import Conflict, NotFound
from workflows.identity.actor import Actor
from workflows.webhooks.endpoint import Endpoint, is_valid, keeper_of
from workflows.webhooks.secrets import checked_secret, new_secret

MOST_VALID = 10
GRACE = timedelta(hours=24)


def rotate_secret(
    db: Connection,
    *,
    actor: Actor,
    endpoint: Endpoint,
    seal: Callable[[str], str],
    grace: timedelta = GRACE,
    secret: str | None = None,
) -> str:
    """Store a new secret, and return it.

    Args:
        seal: encrypts the secret for storage.
        grace: for how long the old secrets stay valid; those that would end sooner, do.
        secret: the owner's own; None for a fresh one.

    Raises:
        Forbidden: the endpoint is somebody else's.
        Invalid: a secret of the owner's that does not fit the endpoint's way of signing.
        Conflict: ten secrets would be valid besides.
        NotFound: the endpoint has been deleted meanwhile.
    """
    keeper_of(actor, endpoint)
    chosen = checked_secret(secret, endpoint.signing) if secret else new_secret(endpoint.signing)
    _lock(db, endpoint)
    _end_the_old_ones(db, endpoint, grace)
    db.execute(insert(webhook_secrets).values(id=uuid7(), endpoint_id=endpoint.id, sealed_secret=seal(chosen)))
    valid = select(func.count()).where(webhook_secrets.c.endpoint_id == endpoint.id, is_valid())
    if (db.scalar(valid) or 0) > MOST_VALID:
        raise Conflict(
            f"An endpoint has at most {MOST_VALID} valid secrets; let old ones expire, or choose graceHours 0.",
            code="secret_limit",
        )
    return chosen


def _lock(db: Connection, endpoint: Endpoint) -> None:
    # Two rotations at once: the second counts what the first one left.
    query = select(webhook_endpoints.c.id).where(webhook_endpoints.c.id == endpoint.id)
    if db.scalar(query.with_for_update(key_share=True)) is None:
        raise NotFound("There is no such webhook endpoint any more.")


def _end_the_old_ones(db: Connection, endpoint: Endpoint, grace: timedelta) -> None:
    theirs = webhook_secrets.c.endpoint_id == endpoint.id
    db.execute(delete(webhook_secrets).where(theirs, ~is_valid()))
    # LEAST ignores nulls: what never ended, ends then.
    end = func.least(webhook_secrets.c.expires_at, func.now() + grace)
    db.execute(update(webhook_secrets).where(theirs).values(expires_at=end))
