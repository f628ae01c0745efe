"""The secret of a user's calendar feed: shown once, when it is made, and kept as what it hashes to."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from models.calendar_secrets import calendar_secrets
from workflows.errors import Forbidden
from workflows.identity.actor import Actor

_LENGTH = 32  # bytes of randomness


def make_secret(db: Connection, *, actor: Actor) -> str:
    """Make the caller's secret, and return it; an earlier one leads nowhere from then on.

    Raises:
        Forbidden: an operator has no calendar.
    """
    if actor.user_id is None:
        raise Forbidden("Only people with an account have a calendar.")
    secret = secrets.token_urlsafe(_LENGTH)
    made = insert(calendar_secrets).values(user_id=actor.user_id, digest=digest_of(secret))
    anew = {"digest": made.excluded.digest}
    db.execute(made.on_conflict_do_update(index_elements=[calendar_secrets.c.user_id], set_=anew))
    return secret


def digest_of(secret: str) -> bytes:
    """What is kept of a secret. There is nothing to guess about 32 random bytes, so that no salt is needed; and since
    nobody can choose a digest, the time that its look-up takes tells nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
