"""Alembic's environment and revisions, which are kept from 0100 on: each is applied once to every database there is.

Functions of the database, each with its triggers, are files of `models/sql/`. A revision that changes one moves the
former text to `migrations/earlier/REVISION/NAME.sql`, so that `function_sql` gives each revision the text of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from alembic import op

FUNCTIONS = Path(__file__).resolve().parents[1] / "models" / "sql"
EARLIER = Path(__file__).resolve().parent / "earlier"


def function_sql(name: str, *, at: str) -> str:
    """The statements that make or replace a function and its triggers, as of a revision.

    Args:
        name: of the function, as in `models/sql/NAME.sql`.
        at: the revision whose text is wanted: a revision's own in `upgrade`, its `down_revision` in `downgrade`.
    """
    replaced = (file for file in sorted(EARLIER.glob(f"*/{name}.sql")) if file.parent.name > at)
    return next(replaced, FUNCTIONS / f"{name}.sql").read_text()


def build_index(
    name: str, table: str, columns: Sequence[str | sa.TextClause], *, where: str | None = None, unique: bool = False
) -> None:
    """Index a table while it is written to, outside of the step's transaction.

    An interrupted attempt leaves an index that no query uses: the next one begins again.
    """
    with op.get_context().autocommit_block():
        op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
        op.create_index(
            name,
            table,
            columns,
            unique=unique,
            postgresql_where=None if where is None else sa.text(where),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic compares what has this name: the audit's partitions are made as time goes on, not by models."""
    return kind != "table" or not str(name).startswith("audit_entries_")
