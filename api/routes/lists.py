"""Lists: the caller, what the path names, and a page of items by one statement, whatever the page's size."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import request

from api.routes import cursors
from api.routes.blueprints import PARSER, document, in_query
from api.routes.context import RequestContext, Role, Subject
from api.routes.declaration import Declaration
from api.routes.loaders import context_of
from api.schemas.base import ListOrder
from workflows.kernel.paging import (
    EARLIEST_START_FIRST,
    LATEST_START_FIRST,
    LEAST_RECENTLY_CHANGED_FIRST,
    Order,
    Page,
    PagedList,
)

View = Callable[..., dict[str, Any]]


def list_route(
    role: Role,
    paged: PagedList[Any] | Callable[[RequestContext[Any], dict[str, Any]], PagedList[Any]],
    filters: type[ma.Schema],
    seen_by: Callable[[RequestContext[Any], Any], Any] | None = None,
    within: Subject | None = None,
    with_more: Callable[[RequestContext[Any], Any, dict[str, Any]], Sequence[Any]] | None = None,
) -> Callable[[View], Callable[..., dict[str, Any]]]:
    """A route that answers pages of a list. Its view is called with the context and the query's filters by name, and
    returns the filters of `paged` that this caller's list has.

    Args:
        paged: the list, or which one it is for a caller and a query's filters, where these decide on its order.
        filters: the schema of the query.
        seen_by: how an item looks to a caller at that time, where that differs.
        with_more: reads what a page shows besides, by its items and the filters.
        within: what the path names and the list belongs to: the context's subject.
    """
    schema = filters()

    def decorator(view: View) -> Callable[..., dict[str, Any]]:
        @wraps(view)
        def answer(**path: UUID | None) -> dict[str, Any]:
            context = context_of(role, within, path)
            arguments = PARSER.parse(schema, request, location="query")
            limit, cursor = arguments.pop("limit"), arguments.pop("cursor", None)
            signer = cursors.signer_for(arguments | path)
            chosen = paged if isinstance(paged, PagedList) else paged(context, arguments)
            after = cursors.decode(cursor, chosen.order.kinds, signer) if cursor is not None else None
            page = chosen.page(context.db, Page(limit=limit, after=after), **view(context, **arguments))
            found = with_more(context, page.items, arguments) if with_more else page.items
            items = [seen_by(context, item) for item in found] if seen_by else found
            return {"items": items, "next_cursor": cursors.encode(page.next, signer) if page.next else None}

        declared = Declaration(role=role, subject=within)
        return document(answer, view, declared=declared, arguments=in_query(filters))

    return decorator


def order_for_staff(filters: dict[str, Any]) -> Order:
    """The order of everyone's bookings or sessions; what has changed is read in the order of its changes."""
    if "updated_since" in filters:
        return LEAST_RECENTLY_CHANGED_FIRST
    return EARLIEST_START_FIRST if filters.get("order") is ListOrder.ASC else LATEST_START_FIRST
