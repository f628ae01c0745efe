"""Tests of `tutelage migrate`: up, down, two at the same moment, and beside those that write."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, inspect, text

from cli.main import main
from cli.migrate import TableInUse, newest_revision, upgrade
from cli.operator import cli_operator
from models.engine import create, missing_settings
from tests.servers import temporary_database


def tables(database_url: str) -> set[str]:
    engine = create(database_url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_two_at_once_both_succeed(worker_id: str) -> None:
    with temporary_database(f"tutelage_race_{worker_id}") as url, ThreadPoolExecutor() as pool:
        assert list(pool.map(upgrade, [url, url])) == [newest_revision()] * 2
        assert "bookings" in tables(url)


def test_the_role_has_its_timeouts_then(database_url: str) -> None:
    with psycopg.connect(database_url) as db:
        db.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {db.info.dbname} RESET ALL")
    upgrade(database_url)
    with psycopg.connect(database_url) as db:
        assert missing_settings(db) == {}
        assert db.execute("SHOW statement_timeout").fetchone() == ("9s",)


def test_the_command_takes_the_database_from_the_settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    result = CliRunner().invoke(main, ["migrate"])
    assert (result.exit_code, result.output) == (0, f"The database is at revision {newest_revision()} now.\n")


def test_the_schema_of_a_newer_version_stays(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a deploy that is taken back, `tutelage up` and the service `migrate` start the version before."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    with psycopg.connect(database_url) as db:
        db.execute("UPDATE alembic_version SET version_num = '9001'")
    migrated, reverted, examined = (
        CliRunner().invoke(main, words) for words in (["migrate"], ["migrate", "--revert", "1"], ["doctor"])
    )
    assert (migrated.exit_code, migrated.output) == (
        0,
        "A newer version of Tutelage has migrated the database to revision 9001, which stays.\n"
        "The database is at revision 9001 now.\n",
    )
    assert (reverted.exit_code, "revert it by that one" in reverted.output) == (1, True)
    assert "at a newer version's revision 9001" in examined.output


def test_a_database_from_another_cluster_is_noted_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    with psycopg.connect(database_url) as db:
        db.execute("UPDATE clusters SET system_identifier = 1")
    assert (
        "came from another cluster of PostgreSQL: run `tutelage migrate`" in CliRunner().invoke(main, ["doctor"]).output
    )
    said = [CliRunner().invoke(main, ["migrate"]).output for _ in range(2)]
    assert ["came from another cluster" in each for each in said] == [True, False]
    with psycopg.connect(database_url) as db:
        assert db.execute("SELECT count(*) FROM clusters").fetchone() == (2,)
        entry = db.execute("SELECT actor, action, data FROM audit_entries").fetchall()
        assert entry == [(cli_operator().name, "database.moved", {"cluster": 2})]


def test_the_move_waits_for_those_who_write_events(database_url: str) -> None:
    with another(database_url) as writer, psycopg.connect(database_url) as db:
        db.execute("UPDATE clusters SET system_identifier = 1")
        db.commit()
        write(writer, "events")
        with pytest.raises(TableInUse):
            upgrade(database_url)
        writer.rollback()
        upgrade(database_url)
        assert db.execute("SELECT count(*) FROM clusters").fetchone() == (2,)


def test_without_any_database_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    result = CliRunner().invoke(main, ["migrate", "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "Set DATABASE_URL, or start `tutelage up`" in result.output


@contextmanager
def another(database_url: str) -> Iterator[Connection]:
    engine = create(database_url, pool_size=1)
    with engine.connect() as db:
        yield db
    engine.dispose()


def write(db: Connection, table: str) -> None:
    """Lock a table as every writer does, until the transaction ends."""
    db.execute(text(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE"))
