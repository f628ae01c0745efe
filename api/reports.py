"""Reports: who is calling and the numbers they ask for in one statement, as JSON or, by `Accept: text/csv`, a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import Any

import marshmallow as ma
from flask import request
from sqlalchemy import Row, Select

from api import cursors
from api.blueprints import PARSER
from api.calls import Role, this_moment
from api.csv_tables import csv_answer, wants_csv
from api.documented import describe, in_query
from api.loaders import recognised
from api.parts import parts
from api.questions import question_of
from workers.transactions import Transactions
from workflows.errors import Forbidden, Invalid
from workflows.identity.actor import Claim
from workflows.paging import Page

Rows = Sequence[Row[Any]]
Line = Mapping[str, Any]
LINES_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Report:
    """Numbers, and the two ways to show them.

    Args:
        name: of the table's file.
        query: the rows; of a list those of a page and one more, each with the `key` that the next page comes after.
        body: the rows as JSON has them, of a list those of one page.
        columns: the table's, by the keys of its lines.
        lines: the rows as lines of the table.
        listed: whether JSON comes in pages; a table is never cut.
    """

    name: str
    query: Callable[[Page], Select[Any]]
    body: Callable[[Rows], dict[str, Any]]
    columns: tuple[str, ...]
    lines: Callable[[Rows], Iterable[Line]]
    listed: bool = False


@dataclass(frozen=True)
class Asked:
    """A report, the part of it that is wanted, and the filters that its cursors are bound to."""

    report: Report
    page: Page
    filters: Mapping[str, Any]

    def query(self) -> Select[Any]:
        """The rows of that part, and one more."""
        return self.report.query(self.page)

    def answer(self, rows: Rows) -> Any:
        """The rows as the caller would rather have them."""
        report, limit = self.report, self.page.limit
        if wants_csv(request):
            first = report.lines(rows[:limit] if report.listed else rows)
            further = _further(report, rows, self.page, parts().transactions)
            return csv_answer(report.name, report.columns, chain(first, further))
        body = report.body(rows[:limit] if report.listed else rows)
        if report.listed:
            body["next_cursor"] = self._cursor(rows) if len(rows) > limit else None
        return body, {"Vary": "Accept"}

    def _cursor(self, rows: Rows) -> str:
        return cursors.encode((rows[self.page.limit - 1].key,), **cursors.of_this_list(self.filters))


def reports(role: Role, filters: type[ma.Schema]) -> Callable[[Callable[..., Report]], Callable[[], Any]]:
    """A route that answers a report. Its view is called with the question, and returns the report.

    Args:
        filters: the schema of the query; what in it is no part of a `Question` comes along by name.
    """

    def decorator(report_of: Callable[..., Report]) -> Callable[[], Any]:
        @wraps(report_of)
        def view() -> Any:
            made: list[Asked] = []

            def ask(claim: Claim) -> Select[Any]:
                made.append(_asked(report_of, claim, filters()))
                return made[0].query()

            rows = in_order(role, lambda: recognised(role, ask)[1])
            return made[0].answer(rows)

        loader = {"role": role, "subject": None, "changing": False}
        return describe(view, report_of, loader=loader, arguments=in_query(filters))

    return decorator


def in_order(role: Role, ask: Callable[[], Rows]) -> Rows:
    """What `ask` finds. Whoever asks for nonsense, or for what is not theirs, must be known first and have the role."""
    try:
        return ask()
    except (Invalid, Forbidden):
        recognised(role)
        raise


def _asked(report_of: Callable[..., Report], claim: Claim, schema: ma.Schema) -> Asked:
    filters = PARSER.parse(schema, request, location="query")
    limit, cursor = filters.pop("limit", LINES_AT_ONCE), filters.pop("cursor", None)
    after = cursors.decode(cursor, (str,), **cursors.of_this_list(filters)) if cursor is not None else None
    if wants_csv(request):
        limit = LINES_AT_ONCE
    question, besides = question_of(claim, filters, this_moment())
    return Asked(report_of(question, **besides), Page(limit=limit, after=after), filters)


def _further(report: Report, rows: Rows, page: Page, transactions: Transactions) -> Iterator[Line]:
    # A page at a time, each in a transaction of its own: none is open while a client takes its time.
    while report.listed and len(rows) > page.limit:
        page = Page(limit=page.limit, after=(rows[page.limit - 1].key,))
        with transactions() as db:
            rows = db.execute(report.query(page)).all()
        yield from report.lines(rows[: page.limit])
