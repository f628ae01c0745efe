"""Tests of the migrations: one head, there and back again, and in step with the models."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from click import ClickException
from click.testing import CliRunner
from sqlalchemy import Connection, create_engine, make_url, text

from api.readiness import NOT_MIGRATED, Readiness, newest_revision
from cli.main import main
from cli.migrate import (
    FIRST_REVISION,
    MIGRATIONS,
    SESSION_SETTINGS,
    TableInUse,
    add_revision,
    current_revision,
    upgrade,
)
from config.settings import settings
from migrations import FUNCTIONS, function_sql, is_no_partition
from models import metadata
from models.engine import create, driver_of
from tests import factories, servers
from workflows.payments.ledger import fail_refund, settle_refund
from workflows.payments.records import locked


@pytest.fixture
def empty_url(worker_id: str) -> Iterator[str]:
    with servers.temporary_database(f"tutelage_migrated_{worker_id}") as address:
        yield address


def config_of(folder: Path = MIGRATIONS) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    return config


@pytest.fixture
def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(config_of())


def connected(url: str) -> Connection:
    """A connection outside any transaction of the tests."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg")).connect()


ROWS = Path(__file__).with_name("rows_of_0100.sql")
RECORDED = Path(__file__).with_name("baseline.sha256")
# Tables, and columns as `table.column`, whose values a later revision changes on purpose, each with that revision.
MEANT_CHANGES: dict[str, str] = {}
# `tutelage migrate` writes both itself.
OUR_TABLES = (
    "relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
    " AND relname NOT IN ('alembic_version', 'clusters')"
)
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


def test_revisions_are_numbers_in_order_and_name_their_files(scripts: ScriptDirectory) -> None:
    newest_first = [step.revision for step in scripts.walk_revisions()]
    assert newest_first == sorted(newest_first, reverse=True)
    assert newest_first[-1] == FIRST_REVISION
    for step in scripts.walk_revisions():
        assert re.fullmatch(rf"{step.revision}_\w+\.py", Path(step.path).name)
        assert re.fullmatch(r"\d{4}", step.revision)
    assert newest_revision() == newest_first[0], "the API expects the newest one"


def migrate(db: Connection, run: Callable[[Config, str], None], target: str) -> list[dict[str, list[Any]]]:
    """Go to that revision step by step, and return the schema after each."""
    made: list[dict[str, list[Any]]] = []
    config = config_of()
    config.attributes |= {"connection": db, "on_version_apply": lambda **_step: made.append(schema(db))}
    # Each step has a transaction of its own only where none is open.
    db.rollback()
    run(config, target)
    return made


def test_every_single_step_can_be_taken_back_and_again(empty_url: str, scripts: ScriptDirectory) -> None:
    with connected(empty_url) as db:
        nothing = schema(db)
        # In one go each way: a command for each step would read all files of migrations again.
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


LEDGER = """
SELECT p.refund_due, p.refunded, array_agg(CAST(e.kind AS text) ORDER BY e.sequence) AS kinds,
       p.charged = sum(e.amount) FILTER (WHERE e.kind = 'charge')
       AND p.refund_due + p.refunded = sum(e.amount) FILTER (WHERE e.kind = 'refund_due')
       AND p.refunded = coalesce(sum(e.amount) FILTER (WHERE e.kind = 'refund_done'), 0) AS agrees
FROM payments p JOIN payment_entries e ON e.payment_id = p.id GROUP BY p.id ORDER BY p.id
"""


def test_a_step_back_before_failed_refunds_keeps_the_counters_of_the_ledger(empty_url: str) -> None:
    upgrade(empty_url)
    engine, now = create(empty_url), datetime.now(UTC)
    with engine.begin() as db:
        listing = factories.make_listing(db)
        # One is due again, one has gone back by a further attempt.
        for again in (False, True):
            payment = factories.make_payment(db, listing=listing)
            refund = payment.refunds[0].id
            for number in (1, 2):
                about: dict[str, Any] = {"reference": f"re_{number}", "actor": factories.OPERATOR, "now": now}
                settle_refund(db, locked(db, payment.id), refund, **about)
                assert fail_refund(db, locked(db, payment.id), refund, **about, reason=None)
            if again:
                settle_refund(db, locked(db, payment.id), refund, reference="re_3", actor=factories.OPERATOR, now=now)
    engine.dispose()
    with connected(empty_url) as db:
        migrate(db, command.downgrade, "0120")
        due, done = db.execute(text(LEDGER)).all()
        assert (due.refund_due, due.refunded, due.kinds, due.agrees) == (1, 0, ["charge", "refund_due"], True)
        left = ["charge", "refund_due", "refund_done"]
        assert (done.refund_due, done.refunded, done.kinds, done.agrees) == (0, 1, left, True)


def digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def fill_at_the_baseline(db: Connection) -> None:
    """Make the tables of the first revision, with the rows that were recorded then."""
    migrate(db, command.upgrade, FIRST_REVISION)
    db.execute(text("SET LOCAL session_replication_role = replica"))
    driver_of(db).execute(ROWS.read_bytes())
    db.commit()


def rows(db: Connection) -> dict[str, list[dict[str, Any]]]:
    names = db.scalars(text(f"SELECT relname FROM pg_class WHERE {OUR_TABLES} ORDER BY relname")).all()
    return {name: list(db.scalars(text(f"SELECT to_jsonb(row) FROM {name} AS row"))) for name in names}


def require_same_rows(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> None:
    """Compare the tables and columns of before, but for those that a later revision means to change."""
    for table, kept in before.items():
        assert table in after or table in MEANT_CHANGES, table
        columns = [column for column in kept[0] if f"{table}.{column}" not in MEANT_CHANGES]
        found = after.get(table, [])
        assert all(column in row for row in found for column in columns), table
        as_lines = (sorted(str([row[column] for column in columns]) for row in each) for each in (kept, found))
        assert next(as_lines) == next(as_lines) or table in MEANT_CHANGES, table


def add_migrations(folder: Path, statements: Sequence[str]) -> None:
    """Copy all migrations into a folder, and let more follow them there."""
    shutil.copytree(MIGRATIONS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    parent = newest_revision()
    for number, statement in enumerate(statements, 9001):
        (folder / "versions" / f"{number}_added.py").write_text(
            f"from alembic import op\nrevision, down_revision = '{number}', '{parent}'\n"
            f"def upgrade() -> None:\n    op.execute({statement!r})\n"
        )
        parent = str(number)


def test_models_and_migrations_agree(database_url: str) -> None:
    with connected(database_url) as db:
        options = {"compare_type": True, "compare_server_default": True, "include_name": is_no_partition}
        context = MigrationContext.configure(db, opts=options)
        assert compare_metadata(context, metadata) == [], "Write a migration: `tutelage migrate new NAME`."
        assert current_revision(db) is not None


def test_models_and_migrations_agree_beyond_alembics_comparison(database_url: str, empty_url: str) -> None:
    """Checks, exclusions, storage parameters, functions, triggers: made by `models/` alone, they are the same."""
    with connected(empty_url) as db:
        db.execute(text("CREATE EXTENSION btree_gist"))
        # Of a CHECK.
        driver_of(db).execute((FUNCTIONS / "has_distinct_ids.sql").read_text().encode())
        metadata.create_all(db)
        db.execute(text("SET check_function_bodies = off"))
        for file in sorted(FUNCTIONS.glob("*.sql")):
            driver_of(db).execute(file.read_text().encode())
        db.commit()
        made = schema(db)
    with connected(database_url) as db:
        migrated = schema(db)
    for part in migrated:
        assert made[part] == [each for each in migrated[part] if "alembic_version" not in str(each)], part


def test_a_new_migration_has_the_difference_alone(database_url: str, tmp_path: Path) -> None:
    add_migrations(tmp_path, [])
    with connected(database_url) as db:
        assert db.scalar(text("SELECT count(*) FROM pg_partition_tree('audit_entries')")) > 1
        db.execute(text("DROP TABLE session_metrics"))
        db.commit()
    written = add_revision(database_url, "Measure sessions", tmp_path)
    content = written.read_text()
    assert re.findall(r'op\.(\w+_\w+)\(\s*"(\w+)"', content) == [
        ("create_table", "session_metrics"),
        ("drop_table", "session_metrics"),
    ]
    assert content.startswith(
        f'"""Measure sessions.\n\nRevision: {written.name[:4]}, after {newest_revision()}.\n"""\n'
    )


def test_a_database_that_lacks_migrations_gets_no_new_one(database_url: str, tmp_path: Path) -> None:
    with connected(database_url) as db:
        db.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": FIRST_REVISION})
        db.commit()
    with pytest.raises(ClickException, match="run `tutelage migrate` first"):
        add_revision(database_url, "Measure sessions", tmp_path)


def test_the_baseline_stays_as_it_was_recorded(scripts: ScriptDirectory) -> None:
    """A function that changes keeps its former text in `migrations/earlier/REVISION/NAME.sql`."""
    baseline = scripts.get_revision(FIRST_REVISION).module
    digests = {
        "tables": digest(baseline.TABLES.read_text()),
        **{name: digest(function_sql(name, at=FIRST_REVISION)) for name in baseline.FUNCTIONS},
    }
    recorded = dict(line.split() for line in RECORDED.read_text().splitlines())
    assert digests == recorded


def test_a_revision_gets_the_text_of_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for revision in ("0102", "0104"):
        (tmp_path / revision).mkdir()
        (tmp_path / revision / "touch.sql").write_text(f"before {revision}")
    monkeypatch.setattr("migrations.EARLIER", tmp_path)
    texts = [function_sql("touch", at=f"{number:04}") for number in range(101, 105)]
    assert texts == ["before 0102", "before 0104", "before 0104", (FUNCTIONS / "touch.sql").read_text()]


def test_a_filled_database_keeps_its_data_through_every_upgrade(empty_url: str) -> None:
    with connected(empty_url) as db:
        fill_at_the_baseline(db)
        before = rows(db)
        assert {name for name, kept in before.items() if not kept} == set()
        db.rollback()
        assert upgrade(empty_url) == newest_revision()
        require_same_rows(before, rows(db))


LOSSY = {
    "a row less": "DELETE FROM skills WHERE skill = 'sql'",
    "another value": "UPDATE listings SET price_amount = price_amount + 1",
    "a column less": "ALTER TABLE users DROP COLUMN locale CASCADE",
    "a table less": "DROP TABLE spent_links",
}


@pytest.mark.parametrize("statement", LOSSY.values(), ids=LOSSY)
def test_a_migration_that_loses_data_is_found(empty_url: str, tmp_path: Path, statement: str) -> None:
    add_migrations(tmp_path, [statement])
    with connected(empty_url) as db:
        fill_at_the_baseline(db)
        before = rows(db)
        db.rollback()
        upgrade(empty_url, tmp_path)
        with pytest.raises(AssertionError):
            require_same_rows(before, rows(db))


def test_steps_before_a_table_in_use_are_kept(empty_url: str, tmp_path: Path) -> None:
    upgrade(empty_url)
    add_migrations(tmp_path, ["CREATE TABLE first ()", "ALTER TABLE users ADD COLUMN second text"])
    with connected(empty_url) as db, connected(empty_url) as writer:
        writer.execute(text("LOCK TABLE users IN ROW EXCLUSIVE MODE"))
        with pytest.raises(TableInUse, match="try again"):
            upgrade(empty_url, tmp_path)
        assert current_revision(db) == "9001"
        writer.rollback()
        assert upgrade(empty_url, tmp_path) == "9002"


def written(folder: Path = MIGRATIONS) -> dict[str, str]:
    """The statements of each revision after the baseline, with those that begin and end its transactions."""
    statements = {}
    for step in ScriptDirectory.from_config(config_of(folder)).walk_revisions(base=FIRST_REVISION):
        if step.revision != FIRST_REVISION:
            config = config_of(folder)
            config.output_buffer = StringIO()
            command.upgrade(config, f"{step.down_revision}:{step.revision}", sql=True)
            statements[step.revision] = config.output_buffer.getvalue()
    return statements


def test_a_step_that_was_interrupted_can_be_repeated(empty_url: str) -> None:
    """Of the revisions with several transactions, each is done but for its last one, and then again."""
    several = {number: sql for number, sql in sorted(written().items()) if sql.count("COMMIT;") > 1}
    assert several
    with connected(empty_url) as db, psycopg.connect(empty_url, autocommit=True) as interrupted:
        for number, sql in several.items():
            migrate(db, command.upgrade, f"{int(number) - 1:04}")
            db.commit()
            for statement in sql.rpartition("BEGIN;")[0].split(";\n"):
                interrupted.execute(statement.encode())
            migrate(db, command.upgrade, number)
            db.commit()
    upgrade(empty_url)
    test_models_and_migrations_agree(empty_url)


def test_an_index_that_could_not_be_built_is_built_by_the_next_attempt(empty_url: str) -> None:
    with connected(empty_url) as db, connected(empty_url) as writer:
        migrate(db, command.upgrade, "0112")
        writer.execute(text("LOCK TABLE payment_entries IN ROW EXCLUSIVE MODE"))
        with pytest.raises(TableInUse, match="try again"):
            upgrade(empty_url)
        invalid = text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        assert db.scalar(invalid) == 1
        db.rollback()
        writer.rollback()
        upgrade(empty_url)
        assert db.scalar(invalid) == 0


SQUAWK = Path(sys.executable).with_name("squawk")
# The rule is about numbers that outgrow their type, and not about locks.
OFF = "prefer-bigint-over-int"
# By revision, the rules of squawk that it breaks. Up to 0123, nobody wrote to the tables meanwhile: rules are checked
# since then. A later revision has the reason beside it, such as since which release no code reads a dropped column.
EXCEPTED = {
    "0101": {"constraint-missing-not-valid"},
    "0102": {"adding-not-nullable-field", "ban-drop-constraint", "constraint-missing-not-valid"},
    "0103": {"constraint-missing-not-valid", "require-concurrent-index-creation"},
    "0106": {"require-enum-value-ordering"},
    "0108": {"constraint-missing-not-valid"},
    "0110": {"require-concurrent-index-creation"},
    "0111": {"adding-not-nullable-field", "constraint-missing-not-valid"},
    "0112": {"constraint-missing-not-valid"},
    "0116": {"require-concurrent-index-creation"},
    "0118": {"constraint-missing-not-valid"},
    "0119": {"ban-drop-constraint", "constraint-missing-not-valid"},
    "0121": {
        "ban-drop-constraint",
        "constraint-missing-not-valid",
        "require-concurrent-index-creation",
        "require-enum-value-ordering",
    },
    # It drops the constraint that an interrupted attempt has left.
    "0123": {"ban-drop-constraint"},
}


def broken_rules(
    statements: Mapping[str, str], folder: Path, settings: Sequence[str] = SESSION_SETTINGS
) -> dict[str, set[str]]:
    """By revision, the rules of squawk that its statements break after these settings of the session."""
    for revision, sql in statements.items():
        (folder / f"{revision}.sql").write_text("".join(f"{each};\n" for each in settings) + sql)
    words = [str(SQUAWK), "--reporter", "json", "--pg-version", "18", "--exclude", OFF, *map(str, folder.glob("*.sql"))]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert checked.returncode in (0, 1), checked.stderr
    broken: dict[str, set[str]] = {}
    for found in json.loads(checked.stdout):
        broken.setdefault(Path(found["file"]).stem, set()).add(found["rule_name"])
    return broken


def test_a_migration_locks_no_table_for_long(tmp_path: Path) -> None:
    """CONTRIBUTING.md says how each change is made instead; https://squawkhq.com/docs/rules explains the rules."""
    assert broken_rules(written(), tmp_path) == EXCEPTED


BAD = {
    "CREATE INDEX ix_added ON users (locale)": "require-concurrent-index-creation",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON users (locale)": "ban-concurrent-index-creation-in-transaction",
    "DROP INDEX ix_users_email": "require-concurrent-index-deletion",
    "ALTER TABLE users ADD CONSTRAINT ck_added CHECK (version > 0)": "constraint-missing-not-valid",
    "ALTER TABLE users ADD CONSTRAINT ck_added CHECK (version > 0) NOT VALID;"
    "ALTER TABLE users VALIDATE CONSTRAINT ck_added": "constraint-missing-not-valid",
    "ALTER TABLE users ADD CONSTRAINT fk_added FOREIGN KEY (id) REFERENCES users": "adding-foreign-key-constraint",
    "ALTER TABLE users ADD CONSTRAINT uq_added UNIQUE (name)": "disallowed-unique-constraint",
    "ALTER TABLE users ALTER COLUMN version TYPE bigint": "changing-column-type",
    "ALTER TABLE users ALTER COLUMN locale SET NOT NULL": "adding-not-nullable-field",
    "ALTER TABLE users ADD COLUMN added text NOT NULL": "adding-required-field",
    "ALTER TABLE users ADD COLUMN added uuid DEFAULT gen_random_uuid()": "adding-field-with-default",
    "ALTER TABLE users RENAME COLUMN locale TO added": "renaming-column",
    "ALTER TABLE users DROP COLUMN locale": "ban-drop-column",
    "DROP TABLE spent_links": "ban-drop-table",
}


def test_a_migration_that_blocks_others_is_found(tmp_path: Path) -> None:
    add_migrations(tmp_path, list(BAD))
    added = {revision: sql for revision, sql in written(tmp_path).items() if revision > "9000"}
    broken = broken_rules(added, tmp_path)
    assert len(added) == len(BAD)
    for revision, (statement, rule) in zip(sorted(added), BAD.items(), strict=True):
        assert rule in broken.get(revision, ()), statement


def test_a_migration_without_a_lock_timeout_is_found(tmp_path: Path) -> None:
    newest = str(newest_revision())
    assert "require-lock-timeout" in broken_rules({newest: written()[newest]}, tmp_path, settings=())[newest]


@pytest.mark.parametrize("revision", ["0001", "0062"])
def test_a_database_from_before_the_baseline_is_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    with connected(database_url) as db:
        db.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
        db.commit()
    readiness = Readiness(database_url)
    assert readiness.problem() == NOT_MIGRATED
    readiness.close()
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    for command_line in (["migrate"], ["migrate", "--revert", "1"], ["doctor"]):
        result = CliRunner().invoke(main, command_line)
        assert result.exit_code == 1
        assert "made before revision 0100, the first that can be upgraded: use an empty database" in result.output
    settings.cache_clear()
