"""Tests of the counters: whoever names them one by one names every one."""

from __future__ import annotations

import pytest
from sqlalchemy import Table, UniqueConstraint

from models.analytics import REQUEST_COUNTERS, SESSION_COUNTERS
from models.base import metadata
from workflows.analytics.recount import COUNTED, KEYS
from workflows.analytics.sessions import COUNTS
from workflows.invariants import queries

KEPT_BY_THE_DATABASE = {"id", "created_at", "updated_at", "version"}
TABLES = [metadata.tables[name] for name in metadata.tables if name.startswith(("daily_", "quarter_hour_"))]


def test_reports_of_sessions_tell_every_counter_of_sessions_and_the_seats() -> None:
    assert sorted(COUNTS) == sorted([*SESSION_COUNTERS, "seats"])


def test_every_table_of_counts_is_recounted() -> None:
    assert set(KEYS) == set(COUNTED) == set(TABLES)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_recount_writes_every_column_and_knows_rows_by_what_makes_them_unique(table: Table) -> None:
    (unique,) = (rule for rule in table.constraints if isinstance(rule, UniqueConstraint))
    assert set(KEYS[table]) == set(unique.columns.keys())
    assert {*KEYS[table], *COUNTED[table]} == set(table.columns.keys()) - KEPT_BY_THE_DATABASE


@pytest.mark.parametrize("counter", [*SESSION_COUNTERS, *REQUEST_COUNTERS])
def test_the_invariant_of_counts_compares_every_counter(counter: str) -> None:
    assert f"'{counter}'" in queries()["daily_count_differs"]
