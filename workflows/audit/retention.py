"""Retention of the audit: partitions are made ahead, and dropped by the month when they are old enough."""

from datetime import date, datetime, timedelta

from sqlalchemy import Connection, column, func, select, table

from models.base import sql
from workflows.audit.chain import (
    append_drop,
    beginning_of_chain,
    end_of_chain,
    first_id_of,
    following,
    oldest_kept,
    take_chain,
)

MONTHS_AHEAD = 3
# Writers queue up behind a statement that waits for their table.
LOCK_TIMEOUT = "200ms"
_PREFIX = "audit_entries_"
_DEFAULT = f"{_PREFIX}default"

_MAKE = sql("SELECT make_audit_partition(:month)")
_PARTITIONS = sql("""
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = CAST('audit_entries' AS regclass) ORDER BY c.relname
""")
# Entries without a month's partition: it was missing, or a clock was wrong.
_IS_DEFAULT_OLD = sql(
    "SELECT EXISTS (SELECT FROM audit_entries_default)"
    " AND NOT EXISTS (SELECT FROM audit_entries_default WHERE id >= :id)"
)


def make_partitions(db: Connection, *, now: datetime) -> list[date]:
    """Make the partitions of this month and the next three where they are missing; returns those that were made."""
    existing = set(db.scalars(_PARTITIONS))
    month = now.date().replace(day=1)
    made = []
    for _ahead in range(MONTHS_AHEAD + 1):
        if _name(month) not in existing:
            _limit_waits(db)
            if db.scalar(_MAKE, {"month": month}):
                made.append(month)
        month = following(month)
    return made


def drop_old_partition(db: Connection, *, now: datetime, keep_days: int) -> str | None:
    """Drop the oldest partition whose entries are all older than `keep_days`, and add to the chain that it was dropped.

    Returns its name; None where nothing is old enough, or the chain has not come so far.
    """
    first_kept = oldest_kept(now, keep_days)
    old = [name for name in db.scalars(_PARTITIONS) if name < _name(first_kept) and name != _DEFAULT]
    name: str | None = old[0] if old else None
    if name is None and db.scalar(_IS_DEFAULT_OLD, {"id": first_id_of(first_kept)}):
        name = _DEFAULT
    if name is None or take_chain(db) is None:
        return None
    last = db.scalar(select(func.max(column("sequence"))).select_from(table(name)))
    if last is not None and last > end_of_chain(db).up_to:
        return None
    _limit_waits(db)
    db.execute(sql(f"DROP TABLE {name}"))
    if name == _DEFAULT:
        db.execute(_MAKE, {"month": None})
        # The partitions of all months before are gone by now.
        month = (first_kept - timedelta(days=1)).replace(day=1)
    else:
        year, number = name.removeprefix(_PREFIX).split("_")
        month = date(int(year), int(number), 1)
    if month > beginning_of_chain(db).month:
        append_drop(db, month, now=now)
    return name


def _name(month: date) -> str:
    return f"{_PREFIX}{month:%Y_%m}"


def _limit_waits(db: Connection) -> None:
    db.execute(sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
