"""Tests of `tutelage migrate`: up, down, two at the same moment, and beside those that write."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from sqlalchemy import Connection, inspect, select, text, update

from cli.main import main
from cli.migrate import MIGRATIONS, TableInUse, current_revision, newest_revision, revert, upgrade
from cli.operator import cli_operator
from config.settings import settings
from models.bookings import bookings
from models.engine import create, missing_settings
from models.groups import group_session_templates
from models.sessions import sessions
from tests import factories
from tests.eventually import eventually
from tests.servers import temporary_database


def tables(database_url: str) -> set[str]:
    """The tables of a database."""
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
    settings.cache_clear()
    result = CliRunner().invoke(main, ["migrate"])
    settings.cache_clear()
    assert (result.exit_code, result.output) == (0, f"The database is at revision {newest_revision()} now.\n")


def test_a_database_from_another_cluster_is_noted_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    with psycopg.connect(database_url) as db:
        db.execute("UPDATE clusters SET system_identifier = 1")
    settings.cache_clear()
    assert (
        "came from another cluster of PostgreSQL: run `tutelage migrate`" in CliRunner().invoke(main, ["doctor"]).output
    )
    said = [CliRunner().invoke(main, ["migrate"]).output for _ in range(2)]
    settings.cache_clear()
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
    settings.cache_clear()
    result = CliRunner().invoke(main, ["migrate", "--data-dir", str(tmp_path)])
    settings.cache_clear()
    assert result.exit_code == 2
    assert "Set DATABASE_URL, or start `tutelage up`" in result.output


BUILDS = "SELECT FROM pg_stat_activity WHERE wait_event = 'virtualxid' AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
BROKEN = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


def back_to(database_url: str, revision: str) -> None:
    """Take everything back that came after it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    steps = len(list(ScriptDirectory.from_config(config).iterate_revisions("head", revision)))
    assert revert(database_url, steps) == revision


@contextmanager
def another(database_url: str) -> Iterator[Connection]:
    """A second connection."""
    engine = create(database_url, pool_size=1)
    with engine.connect() as db:
        yield db
    engine.dispose()


def write(db: Connection, table: str) -> None:
    """Lock a table as every writer does, until the transaction ends."""
    db.execute(text(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE"))


def test_while_large_tables_get_their_indexes_others_write(database_url: str) -> None:
    back_to(database_url, "0014")
    with (
        another(database_url) as first,
        another(database_url) as second,
        another(database_url) as watch,
        ThreadPoolExecutor() as pool,
    ):
        watch.execution_options(isolation_level="AUTOCOMMIT")
        write(first, "deliveries")
        done = pool.submit(upgrade, database_url)
        try:
            eventually(lambda: watch.execute(text(BUILDS)).rowcount, "the migration waits for who writes")
            for table in ("deliveries", "delivery_attempts", "webhook_endpoints"):
                write(second, table)
            second.rollback()
        finally:
            first.rollback()
        assert done.result() == newest_revision()


def test_an_index_whose_build_was_interrupted_is_built_anew(database_url: str) -> None:
    back_to(database_url, "0015")
    with another(database_url) as db:
        db.execute(text("CREATE INDEX ix_deliveries_missed ON deliveries (event_id)"))
        db.execute(text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_deliveries_missed'::regclass"))
        db.commit()
        assert db.scalars(text(BROKEN)).all() == ["ix_deliveries_missed"]
        db.rollback()
        upgrade(database_url)
        assert db.scalars(text(BROKEN)).all() == []
        made = db.scalars(text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_deliveries_missed'")).one()
        assert "not_listening" in made


def test_a_migration_waits_no_longer_than_writers(database_url: str) -> None:
    back_to(database_url, "0013")
    with another(database_url) as db:
        write(db, "webhook_endpoints")
        with pytest.raises(TableInUse, match="try again"):
            upgrade(database_url)
        assert current_revision(db) == "0014", "what was done before is kept"
        db.rollback()
        assert upgrade(database_url) == newest_revision()


def test_what_is_still_to_come_gets_the_location_of_its_offer(database_url: str) -> None:
    location = {"kind": "phone", "value": "+49 30 1234"}
    engine = create(database_url)
    with engine.begin() as db:
        listing = factories.make_listing(db, location=location, early_start_minutes=30)
        draft = factories.make_booking(db, listing=listing)
        open_session = factories.make_session(db, listing=listing)
        over = factories.complete_session(db, factories.make_session(db, listing=listing))
        group = factories.make_group(db, [], listing=listing)
        db.execute(update(group_session_templates).values(location={"kind": "online"}))
        untold = factories.make_session(db)
    back_to(database_url, "0037")
    upgrade(database_url)
    with engine.connect() as db:
        of_bookings = {row.id: row for row in db.execute(select(bookings))}
        of_sessions = {row.id: row for row in db.execute(select(sessions))}
    engine.dispose()
    assert [of_bookings[each].location for each in (draft.id, open_session.booking_id)] == [location] * 2
    assert of_bookings[group.id].location == {"kind": "online"}
    assert of_bookings[untold.booking_id].location is None
    terms = {each: (of_sessions[each].location, of_sessions[each].early_start_minutes) for each in of_sessions}
    assert terms == {open_session.id: (location, 30), untold.id: (None, 15), over.id: (None, None)}
    # Nothing has changed for those who read them.
    assert {of_sessions[each].version for each in (open_session.id, untold.id)} == {1}
