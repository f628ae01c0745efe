"""Cursors: where a list goes on, opaque to clients, and good for the same list with the same filters alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from workflows.errors import Invalid
from workflows.paging import Key

# What a list is ordered by: how each kind of key part is written and read again.
_READERS: dict[type, Any] = {datetime: datetime.fromisoformat, UUID: UUID}
_LONGEST = 500


def encode(key: Key, *, route: str, filters: Mapping[str, object]) -> str:
    """The cursor that continues after `key` in this list."""
    parts = [part.isoformat() if isinstance(part, datetime) else str(part) for part in key]
    return base64.urlsafe_b64encode(json.dumps([_print_of(route, filters), *parts]).encode()).decode().rstrip("=")


def decode(cursor: str, kinds: tuple[type, ...], *, route: str, filters: Mapping[str, object]) -> Key:
    """The key that a cursor stands for.

    Args:
        kinds: the types of the key's parts.

    Raises:
        Invalid: not a cursor, or one of another list or of other filters.
    """
    try:
        return _read(cursor, kinds, _print_of(route, filters))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Invalid(
            "This cursor does not belong to this list with these filters; begin without one.",
            details={"cursor": ["Not a cursor of this list."]},
        ) from error


def _read(cursor: str, kinds: tuple[type, ...], expected: str) -> Key:
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise ValueError("no cursor is that long")
    padded = cursor + "=" * (-len(cursor) % 4)
    found, *parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if found != expected or len(parts) != len(kinds):
        raise ValueError("the cursor of another list")
    key = tuple(_READERS[kind](part) for kind, part in zip(kinds, parts, strict=True))
    if any(isinstance(part, datetime) and part.tzinfo is None for part in key):
        raise ValueError("a time without a zone")
    return key


def _print_of(route: str, filters: Mapping[str, object]) -> str:
    text = json.dumps([route, sorted((name, str(value)) for name, value in filters.items() if value is not None)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
