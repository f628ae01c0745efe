"""Cursors: where a list goes on, opaque to clients, and good for the same list with the same filters alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import request

from api.parts import parts
from workflows.errors import Invalid
from workflows.paging import Key

# What a list is ordered by: how each kind of key part is written and read again.
_READERS: dict[type, Any] = {datetime: datetime.fromisoformat, UUID: UUID, str: str}
_LONGEST = 500
_SIGNATURE = 16  # bytes


def of_this_list(filters: Mapping[str, object]) -> dict[str, Any]:
    """What the cursors of the request's list are bound to, for `encode` and `decode`: its route and its filters."""
    route = request.url_rule.rule if request.url_rule else request.path
    return {"secret": parts().settings.jwt_secret, "route": route, "filters": filters}


def encode(key: Key, *, secret: str, route: str, filters: Mapping[str, object]) -> str:
    """The cursor that continues after `key` in this list, signed with `secret`."""
    parts = [part.isoformat() if isinstance(part, datetime) else str(part) for part in key]
    payload = json.dumps(parts).encode()
    return base64.urlsafe_b64encode(_signature(payload, secret, route, filters) + payload).decode().rstrip("=")


def decode(cursor: str, kinds: tuple[type, ...], *, secret: str, route: str, filters: Mapping[str, object]) -> Key:
    """The key that a cursor stands for.

    Args:
        kinds: the types of the key's parts.

    Raises:
        Invalid: not a cursor of ours, or one of another list or of other filters.
    """
    try:
        payload = _verified(cursor, secret, route, filters)
        return tuple(_READERS[kind](part) for kind, part in zip(kinds, json.loads(payload), strict=True))
    except ValueError as error:
        raise Invalid(
            "This cursor does not belong to this list with these filters; begin without one.",
            details={"cursor": ["Not a cursor of this list."]},
        ) from error


def _verified(cursor: str, secret: str, route: str, filters: Mapping[str, object]) -> bytes:
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise ValueError("no cursor is that long")
    signed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    signature, payload = signed[:_SIGNATURE], signed[_SIGNATURE:]
    # What is in a cursor is believed because nobody else can have written it.
    if not hmac.compare_digest(signature, _signature(payload, secret, route, filters)):
        raise ValueError("a forged cursor, or one of another list")
    return payload


def _signature(payload: bytes, secret: str, route: str, filters: Mapping[str, object]) -> bytes:
    given = sorted((name, str(value)) for name, value in filters.items() if value is not None)
    # Said in the message, so that no signature of this secret for anything else can stand for a cursor's.
    message = json.dumps(["cursor", route, given]).encode() + b"\0" + payload
    return hmac.digest(secret.encode(), message, hashlib.sha256)[:_SIGNATURE]
