"""Tests of how the database is measured: statements by process, failures by class, connections as they are."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from models.engine import create
from tests.scraping import Figures
from workers.transactions import metered

DURATION = "tutelage_database_statement_duration_seconds"


@pytest.fixture
def process() -> str:
    """A name that no other test has counted under."""
    return f"test-{uuid4().hex[:8]}"


@pytest.fixture
def measured(engine: Engine, process: str) -> Iterator[Engine]:
    """An engine of the test's own on the same database."""
    found = metered(create(engine.url.render_as_string(hide_password=False), pool_size=3), process)
    yield found
    found.dispose()


def test_every_statement_is_measured_under_its_process(measured: Engine, process: str) -> None:
    with measured.connect() as db:
        db.execute(text("SELECT 1"))
        db.execute(text("SELECT pg_sleep(0.03)"))
    with measured.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("SELECT 1"))
    figures = Figures.here()
    assert figures.total(f"{DURATION}_count", process=process) == 3
    assert 0.03 <= figures.total(f"{DURATION}_sum", process=process) < 5
    assert figures.total(f"{DURATION}_bucket", process=process, le="0.025") == 2


def test_failures_are_counted_by_their_class(measured: Engine, process: str) -> None:
    with measured.connect() as db, pytest.raises(DBAPIError):
        db.execute(text("SELECT 1 / 0"))
    nobody = metered(create("postgresql://tutelage@127.0.0.1:1/nothing", connect_timeout=1), process)
    with pytest.raises(OperationalError):
        nobody.connect()
    errors = Figures.here().all("tutelage_database_errors_total", process=process)
    assert {dict(labels)["sqlstate_class"]: value for labels, value in errors.items()} == {"22": 1, "none": 1}


def test_connections_in_use_are_those_checked_out(measured: Engine, process: str) -> None:
    def in_use() -> float:
        return Figures.here().total("tutelage_database_connections_in_use", process=process)

    assert Figures.here().total("tutelage_database_connections_most", process=process) == 3
    with measured.connect() as first:
        first.execute(text("SELECT 1"))
        with measured.connect():
            assert in_use() == 2
        assert in_use() == 1
        # What breaks is given back like anything else.
        first.invalidate()
    assert in_use() == 0
