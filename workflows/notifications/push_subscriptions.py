"""Web Push subscriptions: the browsers that show a person's notifications. Their addresses are stored encrypted."""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from models.notifications import push_subscriptions
from workflows.identity.access import require_person
from workflows.identity.actor import Actor
from workflows.kernel.address import Network, checked_address
from workflows.kernel.errors import Invalid
from workflows.kernel.locks import lock_user
from workflows.kernel.paging import PagedList
from workflows.kernel.records import Record

# The oldest beyond this are deleted: browsers that are given up are never unsubscribed.
MAX_SUBSCRIPTIONS = 20
AUTH_BYTES = 16
# Python's own decoder ignores characters that are not base64.
_BASE64 = re.compile(r"[A-Za-z0-9_-]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class Browser(Record):
    """A subscribed browser; `host` is its vendor's push service, with the port unless it is the usual one."""

    table = push_subscriptions

    id: UUID
    user_id: UUID
    host: str
    created_at: datetime
    version: int


BROWSERS = PagedList(Browser, of=("user_id",))


def subscribe_browser(
    db: Connection,
    *,
    actor: Actor,
    endpoint: str,
    p256dh: str,
    auth: str,
    seal: Callable[[str], str],
    allowed: Sequence[Network],
) -> Browser:
    """Push to that browser from now on. It belongs to one person: a subscription of another for it ends.

    Args:
        p256dh: its public key, and `auth` its secret, both in base64url.

    Raises:
        Forbidden: the caller is an operator, without a user of their own.
        Invalid: the address or the keys are not acceptable.
    """
    user_id = require_person(actor)
    address = _checked_endpoint(endpoint, allowed)
    keys = {"p256dh": _checked_key(p256dh), "auth": _checked_auth(auth)}
    sealed = seal(json.dumps({"endpoint": address, "keys": keys}))
    columns = push_subscriptions.c
    # Concurrent subscriptions of one person are counted one after the other.
    lock_user(db, user_id)
    endpoint_digest = hashlib.sha256(address.encode()).hexdigest()
    # Not taken over: its id and age would show that someone else has used this browser.
    db.execute(delete(push_subscriptions).where(columns.endpoint_digest == endpoint_digest, columns.user_id != user_id))
    statement = insert(push_subscriptions).values(
        id=uuid7(), user_id=user_id, endpoint_digest=endpoint_digest, sealed=sealed, host=urlsplit(address).netloc
    )
    renewed = {name: statement.excluded[name] for name in ("user_id", "sealed", "host")}
    row = db.execute(
        statement.on_conflict_do_update(index_elements=[columns.endpoint_digest], set_=renewed).returning(
            *Browser.columns()
        )
    ).one()
    newest = select(columns.id).where(columns.user_id == user_id).order_by(columns.id.desc()).limit(MAX_SUBSCRIPTIONS)
    db.execute(delete(push_subscriptions).where(columns.user_id == user_id, columns.id.not_in(newest)))
    return Browser.of(row)


def forget_browser(db: Connection, subscription_id: UUID) -> None:
    db.execute(delete(push_subscriptions).where(push_subscriptions.c.id == subscription_id))


def _checked_endpoint(endpoint: str, allowed: Sequence[Network]) -> str:
    try:
        return checked_address(endpoint, allowed)
    except Invalid as error:
        reasons = [reason for found in (error.details or {}).values() for reason in found]
        raise Invalid("This address cannot receive push messages.", details={"endpoint": reasons}) from error


def _checked_key(p256dh: str) -> str:
    # Imported here: workers import this module as well, and never need these 6 MB.
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(p256dh))
    except ValueError as error:
        raise _no_key("p256dh", "Must be a point of P-256 in base64url.") from error
    return _text(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _checked_auth(auth: str) -> str:
    try:
        secret = _bytes(auth)
    except ValueError as error:
        raise _no_key("auth", "Must be base64url.") from error
    if len(secret) != AUTH_BYTES:
        raise _no_key("auth", f"Must be {AUTH_BYTES} bytes.")
    return _text(secret)


def _bytes(text: str) -> bytes:
    bare = text.rstrip("=")
    if _BASE64.fullmatch(text) is None or (bare != text and len(text) % 4):
        raise ValueError("Not base64url.")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _no_key(name: str, reason: str) -> Invalid:
    return Invalid("These are not the keys of a push subscription.", details={f"keys.{name}": [reason]})
