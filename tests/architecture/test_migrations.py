"""Tests of the migrations: one head, there and back again, and in step with the models."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SAWarning

from api.resources.operations import revisions
from cli.migrate import MIGRATIONS, current_revision, revert, upgrade
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


def schema(url: str) -> dict[str, list[Any]]:
    """Everything that the migrations make but for partitions, in words that can be compared."""
    named = {column: IS_PARTITION.format(oid=f"{column}::text::regclass") for column in ("table_name", "tablename")}
    queries = {
        "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default"
        f" FROM information_schema.columns WHERE table_schema = 'public' AND NOT {named['table_name']}",
        "constraints": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace"
        f" AND {IS_PARTITION.format(oid='conrelid')} IS NOT TRUE",
        "indexes": f"SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND NOT {named['tablename']}",
        "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        f" AND NOT {IS_PARTITION.format(oid='tgrelid')}",
        "functions": "SELECT proname, prosrc FROM pg_proc WHERE prolang = (SELECT oid FROM pg_language"
        " WHERE lanname = 'plpgsql')",
        "enums": "SELECT typname, enumlabel, enumsortorder FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid",
        "extensions": "SELECT extname FROM pg_extension",
    }
    with connected(url) as db:
        return {name: sorted(map(tuple, db.execute(text(query)))) for name, query in queries.items()}


def test_there_is_one_head(scripts: ScriptDirectory) -> None:
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def test_the_api_knows_the_revisions_that_alembic_knows(scripts: ScriptDirectory) -> None:
    all_of_them = frozenset(step.revision for step in scripts.walk_revisions())
    assert revisions() == (frozenset(scripts.get_heads()), all_of_them)


def test_every_single_step_can_be_taken_back_and_again(empty_url: str, scripts: ScriptDirectory) -> None:
    nothing = schema(empty_url)
    assert upgrade(empty_url) == scripts.get_current_head()
    made: dict[str, dict[str, list[Any]]] = {}
    for step in scripts.walk_revisions():
        made[step.revision] = schema(empty_url)
        assert revert(empty_url, 1) == step.down_revision
    left = schema(empty_url)
    for part in nothing:
        assert [each for each in left[part] if "alembic_version" not in str(each)] == nothing[part], part
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    for revision, whole in reversed(made.items()):
        with connected(empty_url) as db:
            config.attributes["connection"] = db
            command.upgrade(config, "+1")
            db.commit()
        made_again = schema(empty_url)
        for part in whole:
            # A step back may spell a function or a trigger in another way; in the end they are the same.
            if part not in ("functions", "triggers") or revision == scripts.get_current_head():
                assert made_again[part] == whole[part], (revision, part)


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
    made, migrated = schema(empty_url), schema(database_url)
    for part in ("columns", "constraints", "indexes", "enums"):
        assert made[part] == [each for each in migrated[part] if "alembic_version" not in str(each)], part
