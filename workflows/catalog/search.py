"""Searching the catalogue: words in full text, the order by relevance, and the conditions on an offer.

Courses and mentor profiles keep their words in a column `search`, by triggers, without endings cut off, since titles
are in any language. Case and accents do not matter. All words have to be there, each from its beginning on.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    cast,
    func,
    literal_column,
    select,
)

from models.catalog import listings
from workflows.kernel.paging import Order, descending

MOST_RELEVANT_FIRST = Order((int, UUID), lambda item: (item.relevance, item.id), descending)


def matches(search: ColumnElement[Any], q: Any) -> ColumnElement[bool]:
    """Whether all words of `q` begin words of a `search` column; never for a text without words."""
    return search.op("@@", return_type=Boolean())(_once(func.search_prefixes(q)))


def relevance(search: ColumnElement[Any], q: Any) -> ColumnElement[int]:
    """How well a `search` column fits: words of titles and names count more, and whole words more than beginnings.

    A whole number, which a cursor holds exactly.
    """
    rank = func.ts_rank(search, _once(func.search_prefixes(q))) + func.ts_rank(search, _once(func.search_words(q)))
    return cast(1_000_000 * rank, Integer)


def _once(function: ColumnElement[Any]) -> ColumnElement[Any]:
    # In a subquery of its own: in its place it would be computed for every row.
    return select(function).scalar_subquery()


def probed(offers: Select[Any], *, after_words: bool) -> ColumnElement[bool]:
    """Whether there is any of these offers. Where words are searched for, only what has them is probed for offers:
    a join could begin with all listings; an offset keeps the planner from it.
    """
    return (offers.offset(literal_column("0")) if after_words else offers).exists()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one active listing has to be like, each a value or a bind parameter; None for anything."""

    course_id: UUID | BindParameter[UUID] | None = None
    max_price: int | BindParameter[int] | None = None  # in minor units of the listing's currency
    currency: str | BindParameter[str] | None = None  # an ISO 4217 code
    duration_minutes: int | BindParameter[int] | None = None

    def conditions(self, table: FromClause = listings) -> list[ColumnElement[bool]]:
        """What of this holds for a row of `listings`, or of an alias of it."""
        comparisons = (
            (self.course_id, table.c.course_id.__eq__),
            (self.max_price, table.c.price_amount.__le__),
            (self.currency, table.c.price_currency.__eq__),
            (self.duration_minutes, table.c.duration_minutes.__eq__),
        )
        return [compare(wanted) for wanted, compare in comparisons if wanted is not None]
