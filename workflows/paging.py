"""Lists in pages: one query a page, by the key of the last item and never by an offset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select, true, tuple_

from workflows.records import Record

Item = TypeVar("Item", bound=Record)
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted.

    Args:
        limit: the most items to return, 1 to 100.
        after: the key of the last item of the page before; None for the first page.
    """

    limit: int = 20
    after: Key | None = None


@dataclass(frozen=True)
class Listed(Generic[Item]):
    """One page of a list; `next` is the key to continue after, None on the last page."""

    items: list[Item]
    next: Key | None


def newest_start_first(
    query: Select[Any], page: Page, start: ColumnElement[Any], id: ColumnElement[Any]
) -> Select[Any]:
    """Order by start time downwards, then id, as the indexes are; one item more than asked."""
    if page.after is not None:
        last_start, last_id = page.after
        # The first condition alone bounds the index scan; a bare OR would not.
        query = query.where(and_(start <= last_start, or_(start < last_start, id > last_id)))
    return query.order_by(start.desc(), id).limit(page.limit + 1)


def newest_first(query: Select[Any], page: Page, id: ColumnElement[Any]) -> Select[Any]:
    """Order by a UUIDv7 downwards, which is by age; one item more than asked."""
    if page.after is not None:
        query = query.where(id < page.after[0])
    return query.order_by(id.desc()).limit(page.limit + 1)


def newest_event_first(
    query: Select[Any], page: Page, event_id: ColumnElement[Any], id: ColumnElement[Any]
) -> Select[Any]:
    """Order by the event's UUIDv7 downwards, then id downwards; one item more than asked."""
    if page.after is not None:
        # The first condition alone bounds the index scan; that of the pair would not.
        query = query.where(event_id <= page.after[0], tuple_(event_id, id) < tuple_(*page.after))
    return query.order_by(event_id.desc(), id.desc()).limit(page.limit + 1)


def beneath(owner: Select[Any], items: Select[Any]) -> Select[Any]:
    """A list's rows, if there is what the list belongs to: none without it, and one that is no item for an empty list.

    Args:
        owner: selects what the list belongs to, at most one row.
        items: the page's select, in its order.
    """
    there = select(true().label("owner_is_there")).where(owner.exists()).subquery("owner")
    found = items.add_columns(true().label("is_item")).subquery("items")
    # A left join without a condition can only be a nested loop over the owner's one row, and keeps the order inside.
    return select(found).select_from(there.outerjoin(found, true()))


def listed(rows: Sequence[Row[Any]], page: Page, record: type[Item], key: Callable[[Item], Key]) -> Listed[Item]:
    """Cut the item too many off again: it only says that there is a next page."""
    items = [record.of(row) for row in rows[: page.limit]]
    return Listed(items, key(items[-1]) if len(rows) > page.limit else None)
