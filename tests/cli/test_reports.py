"""Tests of `tutelage invariants` and `tutelage effects`: what they print, and how they end."""

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, update

from cli.main import COMMANDS, main
from models.events import deliveries
from tests.factories import make_booking
from tests.integration.harness import without_guards
from workflows.events.subscriptions import load
from workflows.invariants import queries


@pytest.mark.usefixtures("own_database")
def test_an_empty_database_violates_nothing() -> None:
    result = CliRunner().invoke(main, ["invariants"])
    assert result.exit_code == 0, result.output
    assert result.output.count(" 0 ") == len(queries())


@pytest.mark.usefixtures("own_database")
def test_a_violation_is_named_with_whole_ids(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine.begin() as db:
        make_booking(db)
    with engine.begin() as db, without_guards(db):
        dead = db.scalars(update(deliveries).values(state="dead").returning(deliveries.c.id)).all()
    assert 1 <= len(dead) <= 5
    monkeypatch.setenv("COLUMNS", "60")
    result = CliRunner().invoke(main, ["invariants"])
    assert result.exit_code == 1
    assert "Violated: dead_delivery." in result.output
    assert [each for each in map(str, dead) if each not in result.output.split()] == []


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("columns", [80, 250])
def test_every_effect_is_listed_within_the_screen(
    monkeypatch: pytest.MonkeyPatch, columns: int, options: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    result = CliRunner().invoke(main, ["effects", *options])
    names = [
        *(effect.name for effect in load().database_effects()),
        *(effect.name for effect in load().outbound_effects()),
    ]
    assert result.exit_code == 0, result.output
    assert names
    assert [name for name in names if name not in result.output] == []
    assert max(map(len, result.output.splitlines())) <= columns


def test_help_has_whole_summaries_in_groups() -> None:
    text = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    assert [line for line in text.splitlines()[1:] if line.endswith("...") or len(line) > 80] == []
    assert [title for title in ("Run:", "Data:", "Operate:") if title not in text] == []
    listed = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert [name for name in COMMANDS if listed.count(name) != 1] == []
    assert "Commands:" not in text, "a command without a section"


@pytest.mark.usefixtures("own_database")
def test_backfill_of_an_empty_database_finds_nothing_missing() -> None:
    for since in ("2026-01-01", "0001-01-01", "9999-12-31"):
        result = CliRunner().invoke(main, ["effects", "backfill", "--since", since])
        assert (result.exit_code, result.output) == (0, "No delivery was missing.\n")
