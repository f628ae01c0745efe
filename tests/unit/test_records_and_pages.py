"""Tests of rows as records, and of lists in pages by key."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from workflows.kernel.paging import Page, page_of_rows
from workflows.kernel.records import Record

things = Table("things", MetaData(), Column("id", Integer), Column("start", Integer), Column("hidden", Integer))


@dataclass(frozen=True, kw_only=True)
class Thing(Record):
    """Part of a row, and something that a select adds to it."""

    table = things

    id: int
    start: int
    note: str


def rows(*ids: int) -> list[dict[str, Any]]:
    """Rows by their columns, with one that no record asks for."""
    return [{"id": n, "start": -n, "note": "n", "hidden": 0} for n in ids]


def test_a_record_selects_the_columns_of_its_own_fields_in_their_order() -> None:
    assert [column.name for column in Thing.columns()] == ["id", "start"]


def test_a_record_takes_its_fields_from_a_row_and_leaves_the_rest() -> None:
    assert Thing.of_values(rows(7)[0]) == Thing(id=7, start=-7, note="n")


@pytest.mark.parametrize(
    ("found", "limit", "items", "following"),
    [
        # Nothing there: an empty page, and no next one.
        ((), 2, [], None),
        # Less than a page, and exactly a page: the last one.
        ((1,), 2, [1], None),
        ((1, 2), 2, [1, 2], None),
        # One more than a page only shows that there is a next one, after the last that is shown.
        ((1, 2, 3), 2, [1, 2], (2,)),
        ((1, 2), 1, [1], (1,)),
    ],
)
def test_a_page_ends_where_the_next_begins(
    found: tuple[int, ...], limit: int, items: list[int], following: tuple[int] | None
) -> None:
    page = page_of_rows(rows(*found), Page(limit), Thing, lambda thing: (thing.id,))
    assert [item.id for item in page.items] == items
    assert page.next == following
