"""Tests of what becomes of samples: medians, spreads, ratios within rounds, tables, and what is published."""

import json
from pathlib import Path

import pytest

from bench.machine import Machine
from bench.measures import OF_A_LIFE
from bench.publish import (
    FIGURES,
    SCALING,
    Arithmetic,
    arithmetic_of,
    between,
    capacity_table,
    figures_table,
    publish,
)
from bench.results import Results, Row

MACHINE = Machine("2026-05-04T12:00:00+00:00", "abc1234", False, "a processor", 2, 24.0, 0.1, "3.11.7", "Linux 6")
LIVES = Row("lives", "a second", aims=(("usual", 1.8),))
PAGE = """# Page

<!-- figures: written by make bench -->
old
<!-- end of figures -->
between
<!-- arithmetic: written by make bench -->
<!-- end of arithmetic -->
after
"""


@pytest.fixture
def results() -> Results:
    """Three rounds, the second of them on a machine that was busy with something else."""
    found = Results(MACHINE, rounds=3)
    for mine, theirs in ((18.0, 10.0), (4.0, 2.0), (15.0, 10.0)):
        found.add(LIVES, "Tutelage", mine)
        found.add(LIVES, "usual", theirs)
    return found


def test_a_summary_has_median_and_spread(results: Results) -> None:
    (mine, theirs) = results.summaries(LIVES)
    assert (mine.contender, mine.median, mine.lowest, mine.highest, mine.rounds) == ("Tutelage", 15, 4, 18, 3)
    assert theirs.spread_percent == pytest.approx(40)


def test_a_ratio_is_the_median_of_the_rounds_own_ratios(results: Results) -> None:
    assert results.ratio(LIVES, "Tutelage", "usual") == pytest.approx(1.8)
    assert results.ratio(LIVES, "Tutelage", "unknown") is None


def test_json_keeps_every_value_and_the_machine(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path / "results" / "run.json")
    content = json.loads((tmp_path / "results" / "run.json").read_text())
    assert content["machine"]["commit"] == "abc1234"
    (row,) = content["rows"]
    assert row["contenders"]["usual"] == {"median": 10.0, "values": [10.0, 2.0, 10.0]}


def test_tables_put_the_product_beside_others(results: Results) -> None:
    lines = figures_table(results, "Tutelage").splitlines()
    assert "| lives (a second) | 15.0 ± 47% | usual: 10.0 ± 40% | 1.80 × | ≥ 1.8 × |" in lines
    assert all(len(line) <= 120 for line in lines if not line.startswith("|"))


def test_a_row_may_name_its_own_subject() -> None:
    found = Results(MACHINE, rounds=1)
    row = Row("time", "ms", more_is_better=False, aims=(("few", 1.25),), subject="many")
    found.add(row, "few", 4)
    found.add(row, "many", 5)
    assert "| time (ms) | many: 5.00 ± 0% | few: 4.00 ± 0% | 1.25 × | ≤ 1.25 × |" in figures_table(found, "Tutelage")


def test_publishing_changes_what_stands_between_markers_alone(results: Results, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text(PAGE)
    publish(results, "Tutelage", page, figures, page)
    text = page.read_text()
    assert "old" not in text
    assert "commit abc1234" in text
    assert text.startswith("# Page\n")
    assert text.endswith("<!-- end of arithmetic -->\nafter\n")
    publish(results, "Tutelage", page, figures, page)
    assert page.read_text() == text
    assert json.loads(figures.read_text())["rounds"] == 3


def test_arithmetic_follows_from_the_cost_of_a_life() -> None:
    needs = Arithmetic(110, 25, commits=20, rows_written=60, wal_bytes=50_000, stored_bytes=30_000)
    assert needs.peak_lives == pytest.approx(347.2, abs=0.1)
    assert needs.cores(25) == pytest.approx(14.5, abs=0.1)
    assert needs.primaries == 1
    assert "| rows written a day | 600 million (60 a life) |" in needs.as_markdown()


def test_arithmetic_needs_lives_of_the_run(results: Results) -> None:
    assert arithmetic_of(results, "Tutelage") is None
    results.add_processes("Tutelage, 4 clients", {"postgres": 25.0, "api": 30.0})
    for name in ("commits", "rows inserted", "rows updated", "write-ahead log", "stored"):
        results.add(Row(f"of a life, 4 clients: {name}", "count"), "Tutelage", 10)
    found = arithmetic_of(results, "Tutelage")
    assert found == Arithmetic(55, 25, commits=10, rows_written=20, wal_bytes=10_240, stored_bytes=10_240)


def test_the_page_of_scaling_follows_from_the_last_run() -> None:
    found = json.loads(FIGURES.read_text())
    of_life = {
        row["name"].removeprefix(OF_A_LIFE): row["contenders"]["Tutelage"]["median"] * 1024
        for row in found["rows"]
        if row["name"].startswith(OF_A_LIFE) and row["unit"] == "KiB"
    }
    milliseconds = found["processor_ms"]["Tutelage, 4 clients"]
    table = capacity_table(milliseconds, of_life["write-ahead log"], of_life["stored"])
    text = SCALING.read_text()
    assert between(text, "capacity", table) == text


def test_capacity_has_two_of_each_process_and_grows_with_the_rate() -> None:
    milliseconds = {"api": 15.0, "worker-webhooks": 6.0, "postgres": 15.0, "valkey": 0.6}
    lines = capacity_table(milliseconds, 1024 * 60, 1024 * 30).splitlines()
    assert "| processes of the API (`API_WORKERS` of all machines) | 2 | 3 | 25 | 250 |" in lines
    assert "| `worker-webhooks` | 2 | 2 | 10 | 100 |" in lines
    assert "| cores of PostgreSQL | 1 | 3 | 25 | 250 |" in lines
    assert "| primaries of 32 cores | 1 | 1 | 1 | 8 |" in lines
    assert "| write-ahead log a day | 49 GiB | 494 GiB | 4,944 GiB | 49,438 GiB |" in lines
