"""Tests of `tutelage invariants` and `tutelage effects`: what they print, and how they end."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from cli.main import main
from workflows.events.subscriptions import load
from workflows.invariants import queries


@pytest.mark.usefixtures("own_database")
def test_an_empty_database_violates_nothing() -> None:
    result = CliRunner().invoke(main, ["invariants"])
    assert result.exit_code == 0, result.output
    assert result.output.count(" 0 ") == len(queries())


@pytest.mark.usefixtures("own_database")
def test_a_violation_is_named_and_the_exit_code_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "workflows.invariants._sources", lambda: {"never_one": "-- One row too many\nSELECT 'this-one'"}
    )
    result = CliRunner().invoke(main, ["invariants"])
    assert result.exit_code == 1
    assert "Violated: never_one." in result.output
    assert "this-one" in result.output


@pytest.mark.usefixtures("own_database")
def test_ids_of_violations_are_whole_on_any_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"e86ecbcf-0000-7000-8000-bb3df000000{digit}" for digit in range(5)]
    values = ", ".join(f"('{each}')" for each in ids)
    monkeypatch.setattr("workflows.invariants._sources", lambda: {"never_any": f"-- A row\nVALUES {values}"})
    monkeypatch.setenv("COLUMNS", "60")
    printed = CliRunner().invoke(main, ["invariants"]).output.split()
    assert [each for each in ids if each not in printed] == []


def test_every_effect_stands_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    result = CliRunner().invoke(main, ["effects"])
    names = [
        *(effect.name for effect in load().database_effects()),
        *(effect.name for effect in load().outbound_effects()),
    ]
    assert result.exit_code == 0, result.output
    assert names
    assert [name for name in names if name not in result.output] == []


@pytest.mark.usefixtures("own_database")
def test_backfill_of_an_empty_database_finds_nothing_missing() -> None:
    for since in ("2026-01-01", "0001-01-01", "9999-12-31"):
        result = CliRunner().invoke(main, ["effects", "backfill", "--since", since])
        assert (result.exit_code, result.output) == (0, "No delivery was missing.\n")
