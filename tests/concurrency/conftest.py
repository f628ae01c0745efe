"""A database with a connection for each racer, and threads to race in."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from models.engine import create
from tests import servers
from tests.concurrency.racing import Race, deadlocks

RACERS = 30


@pytest.fixture(scope="session")
def race_engine(worker_id: str, template_database: str) -> Iterator[Engine]:
    """An engine with a connection for every racer and two for onlookers, for the races of one process in turn."""
    with servers.temporary_database(f"tutelage_races_{worker_id}", template_database) as address:
        engine = create(address, pool_size=RACERS + 2)
        yield engine
        engine.dispose()


@pytest.fixture
def engine(race_engine: Engine) -> Iterator[Engine]:
    """An engine on empty tables, for a race in which PostgreSQL has no deadlock to break up."""
    servers.empty(race_engine)
    before = deadlocks(race_engine)
    yield race_engine
    assert deadlocks(race_engine) == before


@pytest.fixture
def race(engine: Engine) -> Iterator[Race]:
    race = Race(engine, RACERS)
    yield race
    race.close()
