"""Cursors: the position after which a list continues, signed, and valid only for the same list and filters."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask import request

from api.state import app_state
from config.signed_links import Signer
from workflows.kernel.errors import Invalid
from workflows.kernel.paging import Key

_READERS: dict[type, Callable[[str], object]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    UUID: UUID,
    str: str,
    int: int,
}


def signer_for(filters: Mapping[str, object]) -> Signer:
    """The signer of cursors of the request's route with these filters."""
    route = request.url_rule.rule if request.url_rule else request.path
    given = sorted((name, str(value)) for name, value in filters.items() if value is not None)
    return Signer(app_state().settings.signing_keys, f"cursor {json.dumps([route, given])}")


def encode(key: Key, signer: Signer) -> str:
    """The cursor that continues after `key`."""
    return signer.sign([part.isoformat() if isinstance(part, datetime) else str(part) for part in key])


def decode(cursor: str, kinds: tuple[type, ...], signer: Signer) -> Key:
    """The key in a cursor.

    Args:
        kinds: the types of the key's parts.

    Raises:
        Invalid: the cursor was not made for this list with these filters.
    """
    try:
        parts: Any = signer.verify(cursor)
        return tuple(_READERS[kind](part) for kind, part in zip(kinds, parts, strict=True))
    except ValueError as error:
        raise Invalid(
            "The cursor is not valid for this list with these filters; start without one.",
            details={"cursor": ["Not a cursor of this list."]},
        ) from error
