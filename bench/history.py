"""Three years of history in a database: one life that the system has played, copied as often as wanted.

Every row that belongs to the life's booking, session and events is copied by SQL with ids and times of its own, spread
over many mentors and mentees, with triggers off, indexes built afterwards and nothing synced to disk meanwhile. What is
owed is not copied as such: the past is done. Nor is the audit: its past months lie in tables of their own, chained
already, which nothing of a life touches.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from psycopg import sql

from models.events import DELIVERY_ID
from tests.booking_system import Booking, Tutelage

PEOPLE = 1_000  # mentors, and as many mentees
DAYS_AGO = 45  # from the life's time, which lies ahead, to the latest copy's
DAYS_OF_HISTORY = 3 * 365
# What retention has deleted by now is not copied, and neither is what maintain adds up.
KEPT_DAYS = {"deliveries": 90, "delivery_attempts": 90, "notifications": 365, "events": 730, "session_count_changes": 0}

_COLUMNS = """
SELECT table_name, column_name, udt_name FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND is_identity = 'NO' AND is_generated = 'NEVER'
  AND column_name <> 'xid' AND NOT starts_with(table_name, 'audit_')
ORDER BY table_name, ordinal_position
"""
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace AND NOT indisunique
  -- Those of the audit's partitions belong to its own.
  AND relkind = 'i' AND NOT relispartition
  AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)
"""
_UNSYNCED = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "16GB"}
_COUNTS = """
INSERT INTO session_counts (mentor_profile_id, counter, amount)
SELECT mentor_profile_id, status::text, count(*) FROM sessions GROUP BY 1, 2
UNION ALL
SELECT mentor_profile_id, 'accepted_bookings', count(*) FROM bookings WHERE status = 'accepted' GROUP BY 1
ON CONFLICT (mentor_profile_id, counter) DO UPDATE SET amount = excluded.amount
"""
# Ids begin with the milliseconds of their time, as a UUIDv7 does: copies are near each other in every index, and
# retention finds them by their age. The first copy is the latest.
_NUMBERS = f"""
SELECT number,
       lpad(to_hex(CAST(extract(epoch FROM %(present)s::timestamptz - shift) * 1000 AS bigint)), 12, '0') AS own,
       'f' || lpad(to_hex(number %% {PEOPLE}), 11, '0') AS person, shift
FROM (
    SELECT number,
           interval '{DAYS_AGO} days' + number * (interval '{DAYS_OF_HISTORY - DAYS_AGO} days' / %(copies)s) AS shift
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number
) AS numbered
"""
_HORIZONS = """
INSERT INTO maintenance_cursors (name, moment, id)
SELECT 'retention of ' || name, now() - days * interval '1 day', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
FROM (VALUES ('deliveries', 90), ('notifications', 365), ('events', 730)) AS kept(name, days)
ON CONFLICT (name) DO UPDATE SET moment = excluded.moment, id = excluded.id
"""


@dataclass(frozen=True)
class Column:
    """A column of a table, with PostgreSQL's name of its type."""

    table: str
    name: str
    type: str


def copy_life(product: Tutelage, booking: Booking, copies: int) -> None:
    """Copy a life that is over, and bring the planner's statistics and the counts up to date.

    Args:
        booking: of the life, with its session.
        copies: how many, spread over three years.
    """
    with psycopg.connect(product.database_url, autocommit=True) as db:
        columns = [Column(*row) for row in db.execute(_COLUMNS)]
        people, present = _people_of(db, booking), datetime.now(UTC)
        life = _ids_of(db, columns, {UUID(booking.id), UUID(booking.session_id)})
        db.execute("SET session_replication_role = replica")
        db.execute("SET statement_timeout = 0")
        with _unsynced(db), _without_indexes(db):
            for table in ("users", "mentor_profiles", "listings"):
                _copy(db, _of(columns, table), people, people, range(PEOPLE), copies, present)
            for table in dict.fromkeys(column.table for column in columns):
                _copy(db, _of(columns, table), life, people, range(1, _kept(table, copies) + 1), copies, present)
            db.execute("TRUNCATE session_count_changes")
            db.execute(_COUNTS)
            db.execute(_HORIZONS)
        db.execute("VACUUM ANALYZE")
        db.execute("CHECKPOINT")
    os.sync()


def _kept(table: str, copies: int) -> int:
    """How many copies, the latest ones, have rows in this table."""
    share = (KEPT_DAYS.get(table, DAYS_OF_HISTORY) - DAYS_AGO) / (DAYS_OF_HISTORY - DAYS_AGO)
    return max(0, int(copies * share))


@contextmanager
def _unsynced(db: psycopg.Connection) -> Iterator[None]:
    """A server that syncs nothing to disk, for the time of the block alone."""
    for name, value in _UNSYNCED.items():
        db.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
    db.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        for name in _UNSYNCED:
            db.execute(f"ALTER SYSTEM RESET {name}".encode())
        db.execute("SELECT pg_reload_conf()")


@contextmanager
def _without_indexes(db: psycopg.Connection) -> Iterator[None]:
    """No indexes but the constraints' for the time of the block; then the others, which one sort builds."""
    indexes = db.execute(_INDEXES).fetchall()
    for name, _definition in indexes:
        db.execute(f"DROP INDEX {name}".encode())
    yield
    db.execute("SET maintenance_work_mem = '512MB'")
    for _name, definition in indexes:
        db.execute(definition.encode())


def _people_of(db: psycopg.Connection, booking: Booking) -> list[UUID]:
    row = db.execute("SELECT user_id FROM mentor_profiles WHERE id = %s", [booking.offer.mentor_id]).fetchone()
    assert row is not None
    return [row[0], *map(UUID, (booking.offer.mentor_id, booking.offer.mentee_id, booking.offer.listing_id))]


def _ids_of(db: psycopg.Connection, columns: list[Column], ids: set[UUID]) -> list[UUID]:
    """The ids of all rows that name one of these ids, and of those that name them in turn."""
    tables = {column.table for column in columns if column.type == "uuid" and column.name == "id"}
    while True:
        found = set(ids)
        for table in tables:
            query = sql.SQL("SELECT id FROM {} WHERE {}").format(sql.Identifier(table), _names(_of(columns, table)))
            found |= {row[0] for row in db.execute(query, {"ids": list(ids)})}
        if found == ids:
            return list(ids)
        ids = found


def _of(columns: list[Column], table: str) -> list[Column]:
    return [column for column in columns if column.table == table]


def _names(columns: list[Column]) -> sql.Composable:
    """Whether a row names one of the ids."""
    named = [
        sql.SQL("{} = ANY(%(ids)s)").format(sql.Identifier(column.name)) for column in columns if column.type == "uuid"
    ]
    return sql.SQL(" OR ").join(named) if named else sql.SQL("false")


def _copy(
    db: psycopg.Connection,
    columns: list[Column],
    ids: list[UUID],
    people: list[UUID],
    numbers: range,
    copies: int,
    present: datetime,
) -> None:
    """Copy the rows of a table that name one of the ids, once for each number.

    Args:
        present: the same for all tables, since ids are made of it.
    """
    table = sql.Identifier(columns[0].table)
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    values = sql.SQL(", ").join(map(sql.SQL, _values(columns)))
    # Values of the template's row alone are computed once for each of these, and not for each copy.
    prepared = sql.SQL(", ").join(map(sql.SQL, ["*", *_prepared(columns)]))
    query = sql.SQL("""
        WITH template AS MATERIALIZED (SELECT {prepared} FROM {table} WHERE {named}),
             numbers AS MATERIALIZED ({numbers})
        INSERT INTO {table} ({names})
        SELECT {copied} FROM (SELECT {values} FROM numbers, template) AS copied ({names})
        ON CONFLICT DO NOTHING
    """).format(
        table=table,
        named=_names(columns),
        names=names,
        copied=sql.SQL(", ").join(map(_copied, columns)),
        values=values,
        prepared=prepared,
        numbers=sql.SQL(_NUMBERS),
    )
    life = [each for each in ids if each not in people]
    bounds = {"first": numbers.start, "last": numbers.stop - 1, "copies": copies, "present": present}
    db.execute(query, {"ids": ids, "life": life, "people": people, **bounds})


def _prepared(columns: list[Column]) -> Iterator[str]:
    """Of each id: whether a copy has one of its own or a person's, and the part of it that all copies share."""
    for column in columns:
        if column.type == "uuid":
            yield f'"{column.name}" = ANY(%(life)s) AS "{column.name}_is_own"'
            yield f'"{column.name}" = ANY(%(people)s) AS "{column.name}_is_person"'
            yield f'substr(md5("{column.name}"::text), 1, 20) AS "{column.name}_rest"'


def _copied(column: Column) -> sql.Composable:
    """A column of a copy; the ids of deliveries are in the order in which they really are."""
    if column.table == "deliveries" and column.name == "id":
        return sql.SQL(DELIVERY_ID.format(of="copied"))
    return sql.Identifier(column.name)


def _values(columns: list[Column]) -> Iterator[str]:
    """An expression for each column of a copy."""
    for column in columns:
        name = f'template."{column.name}"'
        if column.table == "deliveries" and column.name == "state":
            yield "CAST('done' AS delivery_state)"
        elif column.table == "deliveries" and column.name == "done_at":
            yield f"coalesce({name}, template.created_at) - shift"
        elif column.type == "uuid":
            own, person = (
                f'WHEN template."{column.name}_is_{kind}" THEN CAST({kind} || template."{column.name}_rest" AS uuid)'
                for kind in ("own", "person")
            )
            yield f"CASE {own} {person} ELSE {name} END"
        elif column.type == "timestamptz":
            yield f"{name} - shift"
        elif column.type == "tstzrange":
            yield f"tstzrange(lower({name}) - shift, upper({name}) - shift)"
        elif column.table == "users" and column.name == "email":
            yield f"number || '.' || {name}"
        else:
            yield name
