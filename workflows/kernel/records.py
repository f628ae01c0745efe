"""Rows as typed, frozen records: what a select over a record's columns returns, and how a row becomes one."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self, cast
from uuid import UUID

from sqlalchemy import BindParameter, Row, RowMapping, Select, Table, select
from sqlalchemy.sql.elements import ColumnElement


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row of `table`, whole or in part: each field is a column of that name, or a select's label of it.

    A field with a default keeps it where a select has nothing of its name.
    """

    table: ClassVar[Table]

    @classmethod
    def columns(cls) -> list[ColumnElement[Any]]:
        """The columns of the record's own table, in the order of its fields."""
        return [cls.table.c[field.name] for field in fields(cls) if field.name in cls.table.c]

    @classmethod
    def names(cls, *, of: str | None = None) -> str:
        """The columns as statements of text name them, `of` the table or the part of the statement that has them."""
        return ", ".join(column.name if of is None else f"{of}.{column.name}" for column in cls.columns())

    @classmethod
    def query(cls) -> Select[Any]:
        """A select of every such record; narrow it down with `.where(…)`."""
        return select(*cls.columns())

    @classmethod
    def by_id(cls, id: UUID | BindParameter[UUID]) -> Select[Any]:
        """A select of the record of that id."""
        return cls.query().where(cls.table.c.id == id)

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The record that a row of `query()` holds; further columns of the row are left alone."""
        return cls.of_values(row._mapping)

    @classmethod
    def of_values(cls, found: Mapping[str, Any] | RowMapping) -> Self:
        """The record that has these values by the names of its fields; further ones are left alone."""
        values = {name: found[name] for name in _names(cls, optional=False)}
        return cls(**values, **{name: found[name] for name in _names(cls, optional=True) if name in found})

    def beside_columns(self) -> dict[str, Any]:
        """The values of optional fields that are no columns: what the record was read with."""
        return {name: getattr(self, name) for name in _names(type(self), optional=True)}


METADATA_LIMIT_BYTES = 16_384  # of the marketplace's own object, serialised


@dataclass(frozen=True, kw_only=True)
class ExternalRecord(Record):
    """A row that the marketplace names by an id of its own, unique in the table, and describes by an object."""

    external_id: str | None
    metadata: dict[str, Any] | None


def _names_of(record: type[Record], *, optional: bool) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record) if (field.default is not MISSING) is optional)


# To mypy, a class whose instances are hashed by their fields cannot be hashed itself.
_names = cast(Callable[..., tuple[str, ...]], cache(_names_of))
