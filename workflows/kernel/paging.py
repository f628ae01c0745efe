"""Lists in pages: one statement a page, by the key of the last item and never by an offset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import wraps
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    FromClause,
    Integer,
    Interval,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.types import TypeEngine

from models.base import Timestamp
from models.prepared import PreparedStatement
from workflows.kernel.records import Record

Item = TypeVar("Item", bound=Record)
Key = tuple[Any, ...]

# Added to a column, it keeps the column's indexes out of a plan.
NO_TIME: Any = literal_column("interval '0'", Interval())

_COLUMN_TYPES: dict[type, TypeEngine[Any]] = {
    datetime: Timestamp,
    date: Date(),
    UUID: Uuid(),
    str: Text(),
    int: BigInteger(),
}


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted."""

    limit: Any = 20  # the most items to return, 1 to 100
    after: Key | None = None  # the key of the last item of the page before; None for the first page


@dataclass(frozen=True)
class PageResult(Generic[Item]):
    """One page of a list; `next` is the key to continue after, None on the last page."""

    items: list[Item]
    next: Key | None


@dataclass(frozen=True)
class Order:
    """The order of a list."""

    kinds: tuple[type, ...]  # the types of its key's parts
    key: Callable[[Any], Key]  # the key of an item
    # `(query, page, *columns of the key)`, the query in this order, from the page's begin on, and of one item more than
    # the page's limit.
    select_page: Callable[..., Select[Any]]
    columns: tuple[str, ...] = ()  # the names of the key's columns, where they are of the record's own table

    def in_order(self, table: FromClause, rows: Callable[..., Select[Any]]) -> Callable[..., Select[Any]]:
        """`(page, **filters)`: a page of the rows of `table` that fit the filters."""
        columns = [table.c[name] for name in self.columns]

        @wraps(rows)
        def query(page: Page, **filters: Any) -> Select[Any]:
            return self.select_page(rows(**filters), page, *columns)

        return query

    def select_union(
        self, pages: Sequence[Select[Any]], page: Page, shown: Select[Any], *columns: ColumnElement[Any]
    ) -> Select[Any]:
        """The first page of several pages together, of which each row is read once.

        Args:
            pages: selects of the key's columns alone, each a page.
            shown: what is to be read of the table that has `columns`.
            columns: of the key; the last one identifies a row.
        """
        keys = union_all(*pages).subquery("keys")
        first = self.select_page(select(keys), Page(limit=page.limit), *(keys.c[each.name] for each in columns))
        found = first.subquery("found")
        identifier = columns[-1]
        joined = shown.join_from(found, identifier.table, identifier == found.c[identifier.name])
        return self.select_page(joined, Page(limit=page.limit), *columns)


def _latest_start_first(
    query: Select[Any], page: Page, start: ColumnElement[Any], id: ColumnElement[Any]
) -> Select[Any]:
    """Order by start time downwards, then id, as the indexes are; one item more than the limit."""
    if page.after is not None:
        last_start, last_id = page.after
        # The first condition alone bounds the index scan; a bare OR would not.
        query = query.where(and_(start <= last_start, or_(start < last_start, id > last_id)))
    return query.order_by(start.desc(), id).limit(page.limit + 1)


def descending(query: Select[Any], page: Page, *columns: ColumnElement[Any]) -> Select[Any]:
    """Order by all columns downwards; one item more than the limit."""
    if page.after is not None:
        # The first condition bounds the index scan, also where the index lacks the other columns.
        query = query.where(columns[0] <= page.after[0], tuple_(*columns) < tuple_(*page.after))
    return query.order_by(*(column.desc() for column in columns)).limit(page.limit + 1)


def ascending(query: Select[Any], page: Page, *columns: ColumnElement[Any]) -> Select[Any]:
    """Order by all columns upwards; one item more than the limit."""
    if page.after is not None:
        query = query.where(columns[0] >= page.after[0], tuple_(*columns) > tuple_(*page.after))
    return query.order_by(*columns).limit(page.limit + 1)


def narrowed(query: Select[Any], *filters: tuple[object, Callable[[], ColumnElement[bool]]]) -> Select[Any]:
    """The rows that fit each filter whose value is given: pairs of a value, None for any, and its condition."""
    return query.where(*(condition() for value, condition in filters if value is not None))


# A UUIDv7 is by age.
NEWEST_FIRST = Order((UUID,), lambda item: (item.id,), descending, ("id",))
LATEST_START_FIRST = Order(
    (datetime, UUID), lambda item: (item.start_time, item.id), _latest_start_first, ("start_time", "id")
)
EARLIEST_START_FIRST = Order((datetime, UUID), lambda item: (item.start_time, item.id), ascending)
# For those who read what has changed since they last looked.
LEAST_RECENTLY_CHANGED_FIRST = Order((datetime, UUID), lambda item: (item.updated_at, item.id), ascending)
EARLIEST_DAY_FIRST = Order((date,), lambda item: (item.day,), ascending, ("day",))
NEWEST_EVENT_FIRST = Order((UUID, UUID), lambda item: (item.event_id, item.id), descending)


class PagedList(Generic[Item]):
    """A list, and its statement for each combination of filters: built at its first use.

    Args:
        record: what a row becomes.
        order: the order of the list.
        rows: the select of the items, called once for each combination, with bind parameters for values. Members of
            enums, tuples of them, and booleans are passed as they are: the predicate of a partial index has to be a
            literal. Without one, all records.
        query: instead of `rows`, the select of a page, which is its first argument, in `order`.
        of: columns that say whose list it is: further filters, which every page has to name.
        equal: columns that are further filters, each by its value.
        narrows: whether `query` takes the filter `external_id`; otherwise it is compared like a column of `equal`.
    """

    def __init__(
        self,
        record: type[Item],
        order: Order = NEWEST_FIRST,
        query: Callable[..., Select[Any]] | None = None,
        *,
        rows: Callable[..., Select[Any]] | None = None,
        of: tuple[str, ...] = (),
        equal: tuple[str, ...] = (),
        narrows: bool = False,
    ) -> None:
        self.order = order
        self.record = record
        self.query = query or order.in_order(record.table, rows or record.query)
        self.of, self.equal = of, equal if narrows else (*equal, "external_id")
        self._statements: dict[frozenset[tuple[str, object]], PreparedStatement] = {}

    def page(self, db: Connection, page: Page, **filters: Any) -> PageResult[Item]:
        """One page of the items that fit all filters; a filter that is None is none."""
        values = {name: value for name, value in filters.items() if value is not None or name in self.of}
        statement = self.statement(values, later_page=page.after is not None)
        after = {f"after_{number}": part for number, part in enumerate(page.after or ())}
        rows = statement.all(db, {"limit": page.limit, **after, **values})
        return page_of_rows(rows, page, self.record, self.order.key)

    def statement(self, filters: dict[str, Any], *, later_page: bool = False) -> PreparedStatement:
        """The statement for these filters, on the first page or a later one; its parameters have the filters' names.

        Args:
            filters: of each that is given, its value or one like it.
        """
        literals = {name: value for name, value in filters.items() if isinstance(value, Enum | bool | tuple)}
        combination = frozenset({(name, literals.get(name)) for name in filters} | {("", later_page)})
        if combination not in self._statements:
            bound: dict[str, Any] = {name: bindparam(name) for name in filters.keys() - literals.keys()}
            compared = (*self.of, *(name for name in self.equal if name in bound))
            conditions = [self.record.table.c[name] == bound.pop(name) for name in compared]
            query = self.query(self._bound_page(later_page), **bound, **literals)
            self._statements[combination] = PreparedStatement(query.where(*conditions))
        return self._statements[combination]

    def _bound_page(self, later_page: bool) -> Page:
        parts = enumerate(self.order.kinds)
        after = tuple(bindparam(f"after_{number}", type_=_COLUMN_TYPES[kind]) for number, kind in parts)
        return Page(limit=bindparam("limit", type_=Integer), after=after if later_page else None)


def page_of_rows(
    rows: Sequence[Mapping[str, Any]], page: Page, record: type[Item], key: Callable[[Item], Key]
) -> PageResult[Item]:
    """Cut the item too many off again: it only shows that there is a next page."""
    items = [record.of_values(row) for row in rows[: page.limit]]
    return PageResult(items, key(items[-1]) if len(rows) > page.limit else None)
