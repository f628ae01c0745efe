"""Keys of machines: made, listed, replaced and deleted by operators; only their digests are stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert
from uuid_utils.compat import uuid7

from models.base import sql
from models.keys import KeyScope, api_keys
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict
from workflows.kernel.locks import lock_name
from workflows.kernel.paging import PagedList
from workflows.kernel.transitions import VersionedRecord

MAX_KEYS = 100
PREFIX = "tsk_"
_SHOWN_CHARACTERS = 10
_RANDOM_BYTES = 32
_COUNT = sql("SELECT count(*) FROM api_keys")
_ROTATE = sql("""
UPDATE api_keys SET
    digest = :digest, prefix = :prefix, version = version + 1,
    former_digest = CASE WHEN :former_until > :now THEN digest END,
    former_until = CASE WHEN :former_until > :now THEN :former_until END
WHERE id = :id
""")
# At most once a minute. A request does not wait for another one of its key, whose change is still under way.
_NOTE_USE = sql("""
UPDATE api_keys SET last_used_at = :now
WHERE id = (
    SELECT id FROM api_keys
    WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :now - interval '1 minute')
    FOR NO KEY UPDATE SKIP LOCKED
)
""")


@dataclass(frozen=True, kw_only=True)
class ApiKey(VersionedRecord):
    """A key as operators see it: by its name and its first characters."""

    table = api_keys

    name: str
    scopes: list[str]
    prefix: str
    created_by: str
    last_used_at: datetime | None
    expires_at: datetime | None
    former_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewApiKey(ApiKey):
    """A key with its text, which is shown this once."""

    key: str


API_KEYS = PagedList(ApiKey)


def create_api_key(
    db: Connection, *, actor: Actor, name: str, scopes: list[KeyScope], expires_at: datetime | None
) -> NewApiKey:
    """Make a key. Raises Conflict: `quota_reached`, there are as many as there may be."""
    lock_name(db, "api keys")
    if db.scalar(_COUNT) >= MAX_KEYS:
        raise Conflict(f"There are {MAX_KEYS} keys; delete one that is not needed.", code="quota_reached")
    key, stored = _made()
    columns = {"name": name, "scopes": list(dict.fromkeys(scopes)), "created_by": actor.name, "expires_at": expires_at}
    row = db.execute(insert(api_keys).values(id=uuid7(), **columns, **stored).returning(*ApiKey.columns())).one()
    return NewApiKey(**ApiKey.of(row).__dict__, key=key)


def rotate_api_key(db: Connection, *, api_key: ApiKey, grace: timedelta, now: datetime) -> NewApiKey:
    """Replace the text of a key; the one before works until the grace has passed."""
    key, stored = _made()
    db.execute(_ROTATE, {"id": api_key.id, "now": now, "former_until": now + grace, **stored})
    return NewApiKey(**ApiKey.of(db.execute(ApiKey.by_id(api_key.id)).one()).__dict__, key=key)


def delete_api_key(db: Connection, *, api_key: ApiKey) -> None:
    """Delete a key, which is refused from the commit on."""
    db.execute(delete(api_keys).where(api_keys.c.id == api_key.id))


def note_use(db: Connection, actor: Actor, now: datetime) -> None:
    """Keep when the key was used, by which the caller has signed in."""
    db.execute(_NOTE_USE, {"id": UUID(actor.name.partition(":")[2]), "now": now})


def _made() -> tuple[str, dict[str, Any]]:
    key = PREFIX + token_urlsafe(_RANDOM_BYTES)
    return key, {"prefix": key[:_SHOWN_CHARACTERS], "digest": sha256(key.encode()).digest()}
