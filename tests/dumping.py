"""Everything that a database holds, as a dump of it would show."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, text

_COLUMNS = text("""
SELECT table_name, array_agg(
    CASE data_type WHEN 'bytea' THEN format('encode(%I, ''escape'')', column_name)
                   ELSE format('CAST(%I AS text)', column_name) END
) AS columns
FROM information_schema.columns WHERE table_schema = 'public'
GROUP BY table_name
""")


def dump(engine: Engine) -> dict[str, str]:
    with engine.connect() as db:
        return {row.table_name: _rows(db, row.table_name, row.columns) for row in db.execute(_COLUMNS).all()}


def tables_with(engine: Engine, marks: Iterable[str]) -> list[tuple[str, str]]:
    """The marks that a dump would show, each with its table."""
    tables = dump(engine)
    return sorted((mark, table) for mark in marks for table, rows in tables.items() if mark in rows)


def _rows(db: Connection, table: str, columns: list[str]) -> str:
    query = f"SELECT concat_ws(E'\\t', {', '.join(columns)}) FROM \"{table}\""
    return "\n".join(db.scalars(text(query.replace(":", r"\:"))))
