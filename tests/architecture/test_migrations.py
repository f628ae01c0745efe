"""Tests of the migrations: one head, there and back again, and in step with the models."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SAWarning

from api.readiness import revisions
from cli.migrate import MIGRATIONS, current_revision, upgrade
from models import metadata
from tests import servers
from workflows.invariants import queries


@pytest.fixture
def empty_url(worker_id: str) -> Iterator[str]:
    """A database without anything in it."""
    with servers.temporary_database(f"tutelage_migrated_{worker_id}") as address:
        yield address


@pytest.fixture
def scripts() -> ScriptDirectory:
    """The migrations as Alembic finds them."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


def connected(url: str) -> Connection:
    """A connection outside any transaction of the tests."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg")).connect()


# Made as time goes on, each like its table.
IS_PARTITION = "(SELECT relispartition FROM pg_class WHERE oid = {oid})"


def schema(db: Connection) -> dict[str, list[Any]]:
    """Everything that the migrations make but for partitions, in words that can be compared."""
    queries = {
        # The information schema's view of them takes longer than all else together.
        "columns": "SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,"
        " pg_get_expr(adbin, adrelid) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
        " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition"
        " AND attnum > 0 AND NOT attisdropped",
        "constraints": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace"
        f" AND {IS_PARTITION.format(oid='conrelid')} IS NOT TRUE",
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        f" AND NOT {IS_PARTITION.format(oid='tablename::text::regclass')}",
        "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        f" AND NOT {IS_PARTITION.format(oid='tgrelid')}",
        "functions": "SELECT proname, prosrc FROM pg_proc WHERE prolang = (SELECT oid FROM pg_language"
        " WHERE lanname = 'plpgsql')",
        "enums": "SELECT typname, enumlabel, enumsortorder FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid",
        "extensions": "SELECT extname FROM pg_extension",
    }
    return {name: sorted(map(tuple, db.execute(text(query)))) for name, query in queries.items()}


def test_there_is_one_head(scripts: ScriptDirectory) -> None:
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def test_the_api_knows_the_revisions_that_alembic_knows(scripts: ScriptDirectory) -> None:
    all_of_them = frozenset(step.revision for step in scripts.walk_revisions())
    assert revisions() == (frozenset(scripts.get_heads()), all_of_them)


def migrate(db: Connection, run: Callable[[Config, str], None], target: str) -> list[dict[str, list[Any]]]:
    """Go to that revision step by step, and return the schema after each."""
    made: list[dict[str, list[Any]]] = []
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes |= {"connection": db, "on_version_apply": lambda **_step: made.append(schema(db))}
    # Each step has a transaction of its own only where none is open.
    db.rollback()
    run(config, target)
    return made


def test_every_single_step_can_be_taken_back_and_again(empty_url: str, scripts: ScriptDirectory) -> None:
    with connected(empty_url) as db:
        nothing = schema(db)
        # In one go each way: a command for each step would read all files of migrations anew.
        db.rollback()
        assert upgrade(empty_url) == scripts.get_current_head()
        newest = schema(db)
        *taken_back, left = migrate(db, command.downgrade, "base")
        made_again = migrate(db, command.upgrade, "head")
    for part in nothing:
        assert [each for each in left[part] if "alembic_version" not in str(each)] == nothing[part], part
    revisions = [step.revision for step in scripts.walk_revisions()]
    for revision, whole, again in zip(revisions, [newest, *taken_back], reversed(made_again), strict=True):
        for part in whole:
            # A step back may spell a function or a trigger in another way; in the end they are the same.
            if part not in ("functions", "triggers") or revision == scripts.get_current_head():
                assert again[part] == whole[part], (revision, part)


def is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or not str(name).startswith("audit_entries_")


def test_models_and_migrations_agree(database_url: str) -> None:
    with connected(database_url) as db:
        options = {"compare_type": True, "compare_server_default": True, "include_name": is_no_partition}
        context = MigrationContext.configure(db, opts=options)
        with warnings.catch_warnings():
            # SQLAlchemy reads no xid8 back; the test below compares the columns' types by their names.
            warnings.filterwarnings("ignore", "Did not recognize type 'xid8'", SAWarning)
            assert compare_metadata(context, metadata) == []
        assert current_revision(db) is not None


def test_models_and_migrations_agree_beyond_alembics_comparison(database_url: str, empty_url: str) -> None:
    """Checks, exclusions and storage parameters: made by the models alone, they are the same."""
    with connected(empty_url) as db:
        db.execute(text("CREATE EXTENSION btree_gist"))
        metadata.create_all(db)
        db.commit()
        made = schema(db)
    with connected(database_url) as db:
        migrated = schema(db)
    for part in ("columns", "constraints", "indexes", "enums"):
        assert made[part] == [each for each in migrated[part] if "alembic_version" not in str(each)], part


_TWO_SESSIONS_AT_ONE_TIME = """
CREATE TEMPORARY TABLE made AS SELECT gen_random_uuid() AS mentor, gen_random_uuid() AS other,
    gen_random_uuid() AS user_id, gen_random_uuid() AS other_user_id, gen_random_uuid() AS mentee,
    gen_random_uuid() AS held,
    gen_random_uuid() AS attended, gen_random_uuid() AS later, now() + interval '1 day' AS at;
INSERT INTO users (id, email, name, time_zone)
SELECT each, each || '@example.org', 'N', 'UTC' FROM made, unnest(ARRAY[user_id, other_user_id, mentee]) AS each;
INSERT INTO mentor_profiles (id, user_id, headline, time_zone)
SELECT mentor, user_id, 'H', 'UTC' FROM made UNION ALL SELECT other, other_user_id, 'H', 'UTC' FROM made;
INSERT INTO listings (id, mentor_profile_id, title, duration_minutes, price_amount, price_currency)
SELECT each, each, 'L', 60, 0, 'EUR' FROM made, unnest(ARRAY[mentor, other]) AS each;
INSERT INTO bookings (id, listing_id, mentor_profile_id, mentee_user_id, start_time, end_time, status, session_id,
                      price_amount, price_currency)
SELECT held, mentor, mentor, mentee, at, at + interval '1 hour', 'accepted'::booking_status, gen_random_uuid(), 0, 'EUR'
FROM made
UNION ALL SELECT attended, other, other, user_id, at, at + interval '1 hour', 'accepted', gen_random_uuid(), 0, 'EUR'
FROM made
UNION ALL SELECT later, other, other, user_id, at + interval '1 day', at + interval '25 hours', 'accepted',
                 gen_random_uuid(), 0, 'EUR' FROM made;
INSERT INTO booking_participants (booking_id, user_id)
SELECT held, mentee FROM made UNION ALL SELECT attended, user_id FROM made UNION ALL SELECT later, user_id FROM made;
INSERT INTO mentor_busy (id, mentor_profile_id, busy, booking_id)
SELECT id, mentor_profile_id, tstzrange(start_time, end_time), id FROM bookings;
-- The later one was booked while the setting let mentees overlap.
INSERT INTO mentee_busy (booking_id, user_id, busy)
SELECT id, mentee_user_id, tstzrange(start_time, end_time) FROM bookings, made WHERE id <> later;
"""
_BLOCKS_NOW = """
SELECT CASE booking_id WHEN held THEN 'held' WHEN attended THEN 'attended' ELSE 'later' END,
       mentor_profile_id IS NOT NULL, may_overlap
FROM person_busy, made ORDER BY 1, 2
"""


def test_two_calendars_become_one_and_two_again(empty_url: str) -> None:
    """Of two sessions of one person at one time, the mentor's block stays, and an invariant names the other."""
    with connected(empty_url) as db:
        migrate(db, command.upgrade, "0053")
        db.execute(text(_TWO_SESSIONS_AT_ONE_TIME))
        db.commit()
        migrate(db, command.upgrade, "0054")
        assert [tuple(row) for row in db.execute(text(_BLOCKS_NOW))] == [
            *[("attended", True, False), ("held", False, False), ("held", True, False)],
            *[("later", False, True), ("later", True, False)],
        ]
        named = set(db.scalars(text(queries()["person_busy_twice"])))
        assert named == set(db.scalars(text("SELECT attended FROM made")))
        migrate(db, command.downgrade, "0053")
        assert db.scalar(text("SELECT count(*) FROM mentor_busy")) == 3
        left = set(db.scalars(text("SELECT booking_id FROM mentee_busy")))
        assert left == set(db.scalars(text("SELECT held FROM made")))
