"""Reports: their period and scope, and their answer as JSON or, by `Accept: text/csv`, as a table."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from itertools import chain
from typing import Any

import marshmallow as ma
from flask import request
from sqlalchemy import Row, Select

from api.routes import cursors
from api.routes.blueprints import PARSER, document, in_query
from api.routes.context import Role
from api.routes.csv_tables import csv_answer, wants_csv
from api.routes.declaration import Declaration
from api.routes.loaders import context_of
from api.state import app_state
from infrastructure.transactions import Transactions
from workflows.analytics.counts import Grouping
from workflows.analytics.scope import MAX_PERIOD_DAYS_BY_HOUR, Edge, Period, Scope, period_of, scope_of
from workflows.identity.actor import Actor
from workflows.kernel.paging import Page

Rows = Sequence[Row[Any]]
Line = Mapping[str, Any]
LINES_AT_ONCE = 500
_OF_QUESTIONS = ("from_", "to", "time_zone", "mentor_profile_id", "course_id")


@dataclass(frozen=True, kw_only=True)
class Question:
    """The period and the scope of a report, of which the caller may read it."""

    first: Edge | None  # a day or a moment; None for the default
    last: Edge | None  # the same
    time_zone: str | None  # an IANA name; None where none was named
    now: datetime  # when it is asked
    scope: Scope

    @property
    def period(self) -> Period:
        """The time that is meant, on the clocks of the zone that was named, or of UTC."""
        return self.period_in("UTC")

    def period_in(self, zone: str) -> Period:
        """The same, on the clocks of another zone than UTC where none was named."""
        return period_of(self.first, self.last, self.time_zone or zone, now=self.now)


def question_of(actor: Actor, filters: Mapping[str, Any], now: datetime) -> tuple[Question, dict[str, Any]]:
    """The question in a query string, and its other fields.

    Raises:
        Invalid: no such period.
        Forbidden: the caller may not read these numbers; checked last, as everywhere.
    """
    own = {name: filters.get(name) for name in ("mentor_profile_id", "course_id")}
    first, last, time_zone = (filters.get(name) for name in ("from_", "to", "time_zone"))
    period = period_of(first, last, time_zone or "UTC", now=now)
    if filters.get("group_by") is Grouping.HOUR:
        period.require_at_most(MAX_PERIOD_DAYS_BY_HOUR)
    question = Question(first=first, last=last, time_zone=time_zone, now=now, scope=scope_of(actor, **own))
    return question, {name: value for name, value in filters.items() if name not in _OF_QUESTIONS}


@dataclass(frozen=True, kw_only=True)
class Report:
    """Numbers, and the two ways to show them."""

    name: str  # of the table's file
    # The rows; of a list the rows of a page and one more, each with the `key` that the next page comes after.
    query: Callable[[Page], Select[Any]]
    body: Callable[[Rows], dict[str, Any]]  # the rows as JSON has them, of a list one page
    columns: tuple[str, ...]  # the table's, by the keys of its lines
    lines: Callable[[Rows], Iterable[Line]]  # the rows as lines of the table
    listed: bool = False  # whether JSON comes in pages; a table is never cut


def reports(role: Role, filters: type[ma.Schema]) -> Callable[[Callable[..., Report]], Callable[[], Any]]:
    """A route that answers a report. Its view is called with the question, and returns the report.

    Args:
        filters: the schema of the query; what in it is no part of a `Question` comes along by name.
    """
    schema = filters()

    def decorator(report_of: Callable[..., Report]) -> Callable[[], Any]:
        @wraps(report_of)
        def view() -> Any:
            context = context_of(role, None, {})
            arguments = PARSER.parse(schema, request, location="query")
            limit, cursor = arguments.pop("limit", LINES_AT_ONCE), arguments.pop("cursor", None)
            signer = cursors.signer_for(arguments)
            after = cursors.decode(cursor, (str,), signer) if cursor is not None else None
            page = Page(limit=LINES_AT_ONCE if wants_csv(request) else limit, after=after)
            question, besides = question_of(context.actor, arguments, context.now)
            report = report_of(question, **besides)
            rows = context.db.execute(report.query(page)).all()
            shown = rows[: page.limit] if report.listed else rows
            if wants_csv(request):
                later_lines = _later_lines(report, rows, page, app_state().transactions)
                return csv_answer(report.name, report.columns, chain(report.lines(shown), later_lines))
            body = report.body(shown)
            if report.listed:
                more = len(rows) > page.limit
                body["next_cursor"] = cursors.encode((shown[-1].key,), signer) if more else None
            return body, {"Vary": "Accept"}

        return document(view, report_of, declared=Declaration(role=role), arguments=in_query(filters))

    return decorator


def _later_lines(report: Report, rows: Rows, page: Page, transactions: Transactions) -> Iterator[Line]:
    # A page at a time, each in a transaction of its own: none is open while a client takes its time.
    while report.listed and len(rows) > page.limit:
        page = Page(limit=page.limit, after=(rows[page.limit - 1].key,))
        with transactions() as db:
            rows = db.execute(report.query(page)).all()
        yield from report.lines(rows[: page.limit])
