"""Rows whose time has passed, deleted in batches by `maintain`, so that no other statement waits for a long one."""

from typing import Any

from sqlalchemy import Connection

from models.base import sql

BATCH_ROWS = 1_000


class ExpiredRows:
    """The expired rows of one table; a call deletes a batch of them.

    Args:
        condition: whether a row has expired, as SQL.
        order: the column by whose index the first of them are found.
    """

    def __init__(self, table: str, condition: str, *, order: str) -> None:
        # An array: a plan may run a subquery once more for each row, and would find others then.
        self.statement = sql(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("
            f"SELECT ctid FROM {table} WHERE {condition} ORDER BY {order} LIMIT :limit FOR UPDATE SKIP LOCKED))"
        )

    def __call__(self, db: Connection, *, limit: int = BATCH_ROWS, **values: Any) -> bool:
        """Delete a batch; returns whether it was full, so that there may be more."""
        return db.execute(self.statement, {"limit": limit, **values}).rowcount == limit
