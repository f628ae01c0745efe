"""A database with a connection for each racer, and threads to race in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from models.engine import create
from tests.concurrency.racing import Race

RACERS = 16


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine with a connection for every racer, and two for onlookers."""
    engine = create(database_url, pool_size=RACERS + 2)
    yield engine
    engine.dispose()


@pytest.fixture
def race(engine: Engine) -> Iterator[Race]:
    race = Race(engine, RACERS)
    yield race
    race.close()
