"""Tests of `tutelage migrate`: up, down, and two at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import inspect

from cli.main import main
from cli.migrate import newest_revision, revert, upgrade
from config.settings import settings
from models.engine import create
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


def test_down_to_nothing_and_up_again(database_url: str) -> None:
    steps = 0
    while revert(database_url, 1):
        steps += 1
        assert steps < 1000
    assert tables(database_url) <= {"alembic_version"}
    assert upgrade(database_url) == newest_revision()


def test_the_command_takes_the_database_from_the_settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    result = CliRunner().invoke(main, ["migrate"])
    settings.cache_clear()
    assert (result.exit_code, result.output) == (0, f"The database is at revision {newest_revision()} now.\n")


def test_without_any_database_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    settings.cache_clear()
    result = CliRunner().invoke(main, ["migrate", "--data-dir", str(tmp_path)])
    settings.cache_clear()
    assert result.exit_code == 2
    assert "Set DATABASE_URL, or start `tutelage up`" in result.output
