"""Selects that every request makes: composed by SQLAlchemy, compiled once, and run on psycopg's own cursor.

SQLAlchemy's execution of a select takes three times as long as psycopg's. With it, finding the caller and the booking
was a quarter of the processor time of `GET /bookings/{id}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Dialect, Engine, Select, make_url

from models.engine import DRIVER_ERROR, driver_of

# Called with a statement's text and how many seconds it took.
Observer = Callable[[str, float], None]

_DIALECT: Dialect = make_url("postgresql+psycopg://").get_dialect()()
_OBSERVER = "tutelage_observer"


class PreparedSelect:
    """A select of at most one row.

    Args:
        query: its bind parameters need no conversion, as UUIDs, numbers and texts do not.
    """

    def __init__(self, query: Select[Any]) -> None:
        self.query = query
        compiled = query.compile(dialect=_DIALECT)
        self._text = str(compiled)
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        self._names = [column.name for column in query.selected_columns]
        impls = {column.name: column.type.dialect_impl(_DIALECT) for column in query.selected_columns}
        converters = {name: impl.result_processor(_DIALECT, None) for name, impl in impls.items()}
        self._converters = {name: convert for name, convert in converters.items() if convert is not None}

    def one_or_none(self, db: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row's values by the names of its columns; None where there is none."""
        values = {**self._constants, **values}
        began = perf_counter()
        try:
            row = cast("tuple[Any, ...] | None", driver_of(db).execute(self._text, values).fetchone())
        except psycopg.Error as error:
            # SQLAlchemy raises it as its own, tells its listeners, and replaces connections that are broken.
            db.exec_driver_sql(self._text, values, execution_options={DRIVER_ERROR: error})
            raise
        observe: Observer | None = db.get_execution_options().get(_OBSERVER)
        if observe is not None:
            observe(self._text, perf_counter() - began)
        if row is None:
            return None
        found = dict(zip(self._names, row, strict=True))
        for name, convert in self._converters.items():
            found[name] = convert(found[name])
        return found


def observe_prepared(engine: Engine, observer: Observer | None) -> None:
    """Call an observer after each prepared select on the engine's future connections; None ends that."""
    engine.update_execution_options(**{_OBSERVER: observer})
