"""Encrypt stored values with a new key, in pages while the system runs.

A value under the present key begins with that key's mark, by which the database finds all others. No other progress is
kept: a second run passes over the values that the first one has written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, TextClause, Update, bindparam, update
from sqlalchemy.sql.expression import TextualSelect

from models.base import sql
from models.sealed import SEALED_COLUMNS, SealedColumn

PAGE_ROWS = 500
# Of what is left after a round, most was locked by another transaction for a moment.
MAX_ROUNDS = 5
# Neither the version nor `updated_at` of a row tells of it: nothing changes that anybody could read.
_KEEP_VERSIONS = sql("SELECT set_config('tutelage.keep_versions', 'on', true)")


class Unreadable(Exception):
    """A value cannot be decrypted, and stays as it is."""


@dataclass(frozen=True)
class Recoding:
    """How stored values are encrypted under the present key."""

    mark: str  # the beginning of values that are under it
    value: Callable[[str], str]  # replaces a value; raises Unreadable


@dataclass(frozen=True)
class Progress:
    """How many rows of a table were written, and how many hold values that cannot be read."""

    table: str
    written: int
    unreadable: int


@dataclass(frozen=True)
class SealedTable:
    """The encrypted columns of one table, and the statements that find and write a page of its rows."""

    table: Table
    columns: tuple[SealedColumn, ...]
    first: TextClause
    next: TextClause
    stale: TextualSelect
    stale_after: TextualSelect
    left: TextClause
    unknown: TextClause
    write: Update

    @property
    def key(self) -> list[str]:
        return [column.name for column in self.table.primary_key]


def _sealed_table(table: Table, columns: Sequence[SealedColumn]) -> SealedTable:
    name, key = table.name, [column.name for column in table.primary_key]
    shown, names = ", ".join(key), ", ".join(f"{name}.{each.column.name}" for each in columns)
    after, until = (f"({', '.join(f':{side}_{column}' for column in key)})" for side in ("after", "until"))
    last = f"SELECT {shown} FROM (SELECT {shown} FROM {name} {{where}} ORDER BY {shown} LIMIT :size) AS page"
    last += f" ORDER BY {', '.join(f'{column} DESC' for column in key)} LIMIT 1"
    found = "EXISTS (SELECT FROM ({values}) AS of_row(value) WHERE {condition})"
    stale, unknown = (
        " OR ".join(found.format(values=each.values, condition=condition) for each in columns)
        for condition in (
            "NOT starts_with(value, :mark)",
            "starts_with(value, 'sealed:') AND left(value, 16) <> ALL (:marks)",
        )
    )
    rows = f"SELECT {shown}, {names} FROM {name} WHERE ({shown}) <= {until} AND ({stale})"
    in_order = f"AND ({shown}) > {after}"
    locked = "FOR NO KEY UPDATE SKIP LOCKED"
    types = {each.column.name: each.column.type for each in columns}
    same_row = [column == bindparam(f"key_{column.name}") for column in table.primary_key]
    return SealedTable(
        table=table,
        columns=tuple(columns),
        first=sql(last.format(where="")),
        next=sql(last.format(where=f"WHERE ({shown}) > {after}")),
        stale=sql(f"{rows} {locked}").columns(**types),
        stale_after=sql(f"{rows} {in_order} {locked}").columns(**types),
        left=sql(f"SELECT count(*) FROM {name} WHERE {stale}"),
        unknown=sql(f"SELECT count(*) FROM {name} WHERE {unknown}"),
        write=update(table).where(*same_row).values({each.column: bindparam(each.column.name) for each in columns}),
    )


def _all_tables() -> Iterator[SealedTable]:
    tables = list(dict.fromkeys(each.table for each in SEALED_COLUMNS))
    return (_sealed_table(table, [each for each in SEALED_COLUMNS if each.table is table]) for table in tables)


SEALED_TABLES = tuple(_all_tables())


def recode_table(
    engine: Engine, sealed: SealedTable, recoding: Recoding, *, page_rows: int = PAGE_ROWS
) -> Iterator[Progress]:
    """Encrypt a table's values with the new key, each page of rows in its own transaction; yields the progress so far.

    Rows that another transaction holds are passed over, so that neither waits for the other.
    """
    written = unreadable = 0
    after: Mapping[str, Any] | None = None
    while True:
        with engine.begin() as db:
            last = _last_of_page(db, sealed, after, page_rows)
            if last is None:
                return
            written_now, unreadable_now = _recode_page(db, sealed, recoding, after, last)
        written, unreadable, after = written + written_now, unreadable + unreadable_now, last
        yield Progress(sealed.table.name, written, unreadable)


def rows_left(db: Connection, sealed: SealedTable, recoding: Recoding) -> int:
    """How many rows of a table hold a value under an earlier key."""
    return int(db.scalar(sealed.left, {"mark": recoding.mark}) or 0)


def rows_under_unknown_keys(db: Connection, sealed: SealedTable, marks: Sequence[str]) -> int:
    """How many rows of a table hold a value under none of the keys with these marks."""
    return int(db.scalar(sealed.unknown, {"marks": list(marks)}) or 0)


def _last_of_page(
    db: Connection, sealed: SealedTable, after: Mapping[str, Any] | None, page_rows: int
) -> Mapping[str, Any] | None:
    statement = sealed.first if after is None else sealed.next
    row = db.execute(statement, {"size": page_rows, **_bound("after", after)}).one_or_none()
    return None if row is None else dict(row._mapping)


def _recode_page(
    db: Connection, sealed: SealedTable, recoding: Recoding, after: Mapping[str, Any] | None, last: Mapping[str, Any]
) -> tuple[int, int]:
    values = {"mark": recoding.mark, **_bound("after", after), **_bound("until", last)}
    rows = db.execute(sealed.stale if after is None else sealed.stale_after, values).all()
    written = []
    for row in rows:
        try:
            columns = {
                each.column.name: each.rewrite(row._mapping[each.column.name], recoding.value)
                for each in sealed.columns
            }
        except Unreadable:
            continue
        written.append({**columns, **{f"key_{name}": row._mapping[name] for name in sealed.key}})
    if written:
        db.execute(_KEEP_VERSIONS)
        db.execute(sealed.write, written)
    return len(written), len(rows) - len(written)


def _bound(side: str, key: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{side}_{name}": value for name, value in (key or {}).items()}
