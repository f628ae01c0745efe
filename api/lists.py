"""Lists: who is calling and the page they ask for, in one statement, whatever the page's size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import request
from sqlalchemy import Row, Select

from api import cursors
from api.blueprints import PARSER
from api.calls import Role, Subject
from api.documented import describe, in_query
from api.loaders import no_such, recognised
from workflows.errors import Forbidden, Invalid
from workflows.identity.actor import Actor, Claim
from workflows.paging import Key, Page, beneath, listed
from workflows.records import Record

Query = Callable[..., Select[Any]]
Path = dict[str, UUID | None]


@dataclass(frozen=True)
class Order:
    """What a list is ordered by: the types of its key's parts, and the key of an item."""

    kinds: tuple[type, ...]
    key: Callable[[Any], Key]


NEWEST_FIRST = Order((UUID,), lambda item: (item.id,))
LATEST_START_FIRST = Order((datetime, UUID), lambda item: (item.start_time, item.id))
NEWEST_EVENT_FIRST = Order((UUID, UUID), lambda item: (item.event_id, item.id))


def lists(
    role: Role,
    record: type[Record],
    filters: type[ma.Schema],
    order: Order,
    seen_by: Callable[[Actor, Any], Any] | None = None,
    within: Subject | None = None,
) -> Callable[[Query], Callable[..., dict[str, Any]]]:
    """A route that answers pages of a list. Its view is called with claim, page and filters, and returns the select.

    Args:
        record: what a row of the select becomes.
        filters: the schema of the query.
        seen_by: how an item looks to a caller, where that differs.
        within: what the path names and the list belongs to; its id comes along with the filters, by the path's name.
    """

    def decorator(query: Query) -> Callable[..., dict[str, Any]]:
        @wraps(query)
        def view(**path: UUID | None) -> dict[str, Any]:
            asked, page = _asked(role, filters(), order, within, path)
            actor, rows = _rows(role, within, path, lambda claim: query(claim, page, **asked))
            found = listed(rows, page, record, order.key)
            items = [seen_by(actor, item) for item in found.items] if seen_by else found.items
            return {"items": items, "next_cursor": _next(found.next, asked)}

        loader = {"role": role, "subject": within, "changing": False}
        return describe(view, query, loader=loader, arguments=in_query(filters))

    return decorator


def _rows(
    role: Role, within: Subject | None, path: Path, query: Callable[[Claim], Select[Any]]
) -> tuple[Actor, list[Row[Any]]]:
    if within is None:
        try:
            return recognised(role, query)
        except Forbidden:
            # A filter may need a role of its own; who is calling is the first question all the same.
            recognised(role)
            raise
    actor, rows = _looked_up(role, within, path, lambda claim, owner: beneath(owner, query(claim)))
    return actor, [row for row in rows if row.is_item]


def _looked_up(
    role: Role, within: Subject, path: Path, also: Callable[[Claim, Select[Any]], Select[Any]]
) -> tuple[Actor, list[Row[Any]]]:
    (owner_id,) = path.values()
    if owner_id is None:
        recognised(role)
        raise no_such(within)
    actor, rows = recognised(role, lambda claim: also(claim, within.query(owner_id)))
    if not rows:
        raise no_such(within)
    return actor, rows


def _asked(
    role: Role, schema: ma.Schema, order: Order, within: Subject | None, path: Path
) -> tuple[dict[str, Any], Page]:
    try:
        asked = PARSER.parse(schema, request, location="query") | path
        limit, cursor = asked.pop("limit"), asked.pop("cursor", None)
        after = cursors.decode(cursor, order.kinds, **cursors.of_this_list(asked)) if cursor is not None else None
    except Invalid:
        # Who is calling is the first question, even of those who ask for nonsense, and then what the path names.
        if within is None:
            recognised(role)
        else:
            _looked_up(role, within, path, lambda _claim, owner: owner)
        raise
    return asked, Page(limit=limit, after=after)


def _next(key: Key | None, asked: dict[str, Any]) -> str | None:
    return None if key is None else cursors.encode(key, **cursors.of_this_list(asked))
