"""Statements of hot paths: composed by SQLAlchemy, compiled once, and run on the driver's connection.

SQLAlchemy takes three times as long as psycopg for a select, and psycopg twice as long as libpq. With SQLAlchemy,
finding the caller and the booking was a quarter of the processor time of `GET /bookings/{id}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, Engine, Select, make_url
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.expression import TextualSelect

from models.engine import DRIVER_ERROR, driver_of

# Called with a statement's text and how many seconds it took.
Observer = Callable[[str, float], None]

_DIALECT: Dialect = make_url("postgresql+psycopg://").get_dialect()()
_OBSERVER = "tutelage_observer"
_PARAMETER = re.compile(r"%(?:%|\((\w+)\)s)")


class PreparedStatement:
    """A statement that returns rows, and how its parameters and its columns are converted.

    It is compiled at its first use: most processes import many that they never run.

    Args:
        query: a select; an insert that returns columns; or a text with its columns, all of them in their order.
    """

    def __init__(self, query: Select[Any] | TextualSelect | ReturningInsert[Any]) -> None:
        self.query = query

    @property
    def text(self) -> str:
        return self._compiled.text

    @cached_property
    def _compiled(self) -> _Compiled:
        return _Compiled(self.query)

    def one_or_none(self, db: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The values of the only row by the names of its columns; None where there is none."""
        rows = self.all(db, values)
        return rows[0] if rows else None

    def all(self, db: Connection, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        compiled, driver = self._compiled, driver_of(db)
        bound = compiled.constants | compiled.bound(values)
        if not db.in_transaction() and not driver.autocommit:
            # As for every other statement: else nobody would commit the transaction that the driver begins.
            db.begin()
        began = perf_counter()
        try:
            rows = driver.fetch(compiled.numbered, [bound[name] for name in compiled.parameters])
        except psycopg.Error as error:
            # SQLAlchemy raises it as its own, tells its listeners, and replaces connections that are broken.
            db.exec_driver_sql(compiled.text, bound, execution_options={DRIVER_ERROR: error})
            raise
        observe: Observer | None = db.get_execution_options().get(_OBSERVER)
        if observe is not None:
            observe(compiled.text, perf_counter() - began)
        return [compiled.found(row) for row in rows]


class _Compiled:
    """A query's text, and the functions that convert its values."""

    def __init__(self, query: Select[Any] | TextualSelect | ReturningInsert[Any]) -> None:
        compiled = query.compile(dialect=_DIALECT)
        if "POSTCOMPILE" in str(compiled):
            raise ValueError("A list of a parameter's length cannot be compiled once; use = ANY (:array).")
        self.text = str(compiled)
        self.numbered, self.parameters = _numbered(self.text)
        binders = {
            name: bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name, bind in compiled.binds.items()
        }
        self._binders = {name: convert for name, convert in binders.items() if convert is not None}
        self.constants = self.bound({name: value for name, value in compiled.params.items() if value is not None})
        self._names = [column.name for column in query.exported_columns]
        impls = {column.name: column.type.dialect_impl(_DIALECT) for column in query.exported_columns}
        converters = {name: impl.result_processor(_DIALECT, None) for name, impl in impls.items()}
        self._converters = {name: convert for name, convert in converters.items() if convert is not None}

    def bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        bound = dict(values)
        for name, convert in self._binders.items():
            if name in bound:
                bound[name] = convert(bound[name])
        return bound

    def found(self, row: tuple[Any, ...]) -> dict[str, Any]:
        found = dict(zip(self._names, row, strict=True))
        for name, convert in self._converters.items():
            found[name] = convert(found[name])
        return found


def _numbered(text: str) -> tuple[bytes, list[str]]:
    """A statement with its parameters by number, as PostgreSQL prepares it, and their names in that order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "%"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PARAMETER.sub(number, text).encode(), names


def observe_prepared(where: Engine | Connection, observer: Observer | None) -> None:
    """Call an observer after each prepared statement on a connection, or on an engine's future ones; None ends that."""
    if isinstance(where, Engine):
        where.update_execution_options(**{_OBSERVER: observer})
    else:
        where.execution_options(**{_OBSERVER: observer})
