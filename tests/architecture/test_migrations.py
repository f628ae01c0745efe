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
