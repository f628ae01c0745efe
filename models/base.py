"""Parts shared by all tables: the naming of constraints, ids, time stamps, versions and enums."""

import re
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    Enum,
    Index,
    Integer,
    MetaData,
    Text,
    TextClause,
    Uuid,
    bindparam,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import UserDefinedType

from models.personal import ERASED, IMPERSONAL, KEPT_EXTERNAL_ID, Info

# Names are a contract: workflows.kernel.constraints maps a violated constraint to its domain error by name.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Timestamp = DateTime(timezone=True)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        return "XID8"


# Alembic compares the type with the database's.
ischema_names["xid8"] = Xid8


def enum(kind: type[StrEnum], name: str) -> Enum:
    """A PostgreSQL enum holding the members' values, not their Python names."""
    return Enum(kind, name=name, values_callable=lambda members: [member.value for member in members])


def enum_literal(member: StrEnum) -> ColumnElement[str]:
    """A member of an enum as a literal: with a parameter, no generic plan could use an index over some members."""
    return literal_column(f"'{member.value}'")


def is_one_of(column: Any, members: StrEnum | tuple[StrEnum, ...]) -> ColumnElement[bool]:
    """The condition that a column has one of these values, which are literals."""
    if isinstance(members, tuple):
        return column.in_([enum_literal(member) for member in members])  # type: ignore[no-any-return]
    return column == enum_literal(members)  # type: ignore[no-any-return]


def id_column() -> Column[object]:
    """The primary key of a row of its own: a UUIDv7 made by the caller, so that an index of them grows at its end."""
    return Column("id", Uuid, primary_key=True)


def created() -> Column[object]:
    """When the row was written, by the database's clock."""
    return Column("created_at", Timestamp, nullable=False, server_default=text("now()"))


def changing() -> tuple[Column[object], Column[object], Column[object]]:
    """The columns of a row that changes: created_at, updated_at and version, the last two kept by a trigger."""
    return (
        created(),
        Column("updated_at", Timestamp, nullable=False, server_default=text("now()")),
        Column("version", Integer, nullable=False, server_default=text("1"), info=IMPERSONAL),
    )


def external_id(table: str, info: Info = KEPT_EXTERNAL_ID) -> tuple[SchemaItem, ...]:
    """The column `external_id`, the marketplace's own id of a row, with its rules: unique in its table."""
    return (
        Column("external_id", Text, info=info),
        CheckConstraint("char_length(external_id) BETWEEN 1 AND 200", name="external_id_length"),
        # Partial: a row without one costs nothing.
        Index(f"uq_{table}_external_id", "external_id", unique=True, postgresql_where=text("external_id IS NOT NULL")),
    )


def own_metadata(info: Info = ERASED) -> tuple[SchemaItem, ...]:
    """The column `metadata`, the client's own object, and its rule."""
    return (
        Column("metadata", JSONB(none_as_null=True), info=info),
        CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata_is_an_object"),
    )


_PARAMETER = re.compile(r"(?<![:\w\\]):([a-z]\w*)(?!:)")


def sql(statement: str) -> TextClause:
    """A statement as text, whose parameters have the types that their names say.

    `id` and `…_id` are UUIDs, but for `external_id`; `now`, `…_time` and `…_at` are moments. The driver chooses the
    type of every other parameter, unless `bindparams` or a CAST gives one, as arrays need.
    """
    typed = [
        bindparam(name, type_=kind)
        for name in dict.fromkeys(_PARAMETER.findall(statement))
        if (kind := _type_by_name(name)) is not None and not re.search(rf"CAST\(:{name} AS \w+\[]\)", statement)
    ]
    return text(statement).bindparams(*typed)


def _type_by_name(name: str) -> Uuid[Any] | DateTime | None:
    if name == "id" or (name.endswith("_id") and name != "external_id"):
        return Uuid()
    return Timestamp if name == "now" or name.endswith(("_time", "_at")) else None
