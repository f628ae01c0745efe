"""Traces of a life in the database: rows and bytes by table, and the write-ahead log that it wrote on the way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import psycopg

from bench.measures import live, wait_until_finished
from bench.results import Results, Row
from tests.booking_system import Tutelage
from tests.load import closed_loop

CLIENTS = 4
LIVES = 300
# Smaller shares of a life are pages that were begun.
SHOWN_BYTES = 200
# Partitions count as their table.
_TABLES = """
SELECT coalesce(parent.relname, c.relname) AS name,
       sum(pg_table_size(c.oid))::bigint AS heap, sum(pg_indexes_size(c.oid))::bigint AS indexes
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
GROUP BY 1 ORDER BY 1
"""
_LOG = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"


@dataclass(frozen=True)
class Stored:
    """The rows and bytes of a table."""

    rows: int
    heap: int
    indexes: int

    def since(self, before: Stored, lives: int) -> tuple[float, float, float]:
        """Rows, and bytes of the heap and of the indexes, that each of so many lives has added."""
        return (
            (self.rows - before.rows) / lives,
            (self.heap - before.heap) / lives,
            (self.indexes - before.indexes) / lives,
        )


def stored(db: psycopg.Connection) -> dict[str, Stored]:
    """Each table of the database by its name, after a vacuum: pages that are free count as held, dead rows do not."""
    db.execute("VACUUM")
    sizes = db.execute(_TABLES).fetchall()
    counts = {name: db.execute(f'SELECT count(*) FROM "{name}"'.encode()).fetchone() for name, *_ in sizes}
    return {name: Stored((counts[name] or (0,))[0], heap, indexes) for name, heap, indexes in sizes}


def measure_storage(contender: Tutelage, results: Results, lives: int = LIVES) -> None:
    """Bytes and rows that a life leaves, in all and by table, and the log that it wrote; every effect is done by then.

    As many lives come before those that are measured, which use the room that their rows left.

    Args:
        contender: with its people and an endpoint that listens to everything.
    """
    closed_loop(contender.url, CLIENTS, partial(live, contender), count=lives)
    wait_until_finished(contender, lives)
    with psycopg.connect(contender.database_url, autocommit=True) as db:
        before, log_before = stored(db), _log(db)
        load = closed_loop(contender.url, CLIENTS, partial(live, contender), count=lives)
        wait_until_finished(contender, 2 * lives)
        log = (_log(db) - log_before) / load.count
        after = stored(db)
    each = {name: found.since(before[name], load.count) for name, found in after.items()}
    _keep(results, contender.name, "log of a life", "kB", log / 1000)
    _keep(
        results, contender.name, "stored of a life", "kB", sum(heap + index for _, heap, index in each.values()) / 1000
    )
    _keep(results, contender.name, "rows of a life", "count", sum(rows for rows, *_ in each.values()))
    for name, (rows, heap, indexes) in sorted(each.items(), key=lambda item: -item[1][1] - item[1][2]):
        if heap + indexes >= SHOWN_BYTES:
            _keep(results, contender.name, f"rows of a life, {name}", "count", rows)
            _keep(results, contender.name, f"stored of a life, {name}", "kB", heap / 1000)
            _keep(results, contender.name, f"indexes of a life, {name}", "kB", indexes / 1000)


def _keep(results: Results, contender: str, name: str, unit: str, value: float) -> None:
    results.add(Row(name, unit, more_is_better=False), contender, value)


def _log(db: psycopg.Connection) -> int:
    row = db.execute(_LOG).fetchone()
    assert row is not None
    return int(row[0])
