"""Settings of the command line under test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from config.settings import settings
from models.engine import create
from tests import servers


@pytest.fixture(scope="session")
def cli_database(worker_id: str, template_database: str) -> Iterator[str]:
    """The address of the database that the tests of commands use one after another."""
    with servers.temporary_database(f"tutelage_cli_{worker_id}", template_database) as address:
        yield address


@pytest.fixture
def engine(cli_database: str) -> Iterator[Engine]:
    """An engine on a database that is empty when the test begins; those that migrate ask for one of their own."""
    engine = create(cli_database)
    servers.empty(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    """Commands in the test's process read the environment of the test, whichever test ran before in the process."""
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def own_database(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of a test use the test's database, and print wide tables."""
    monkeypatch.setenv("DATABASE_URL", servers.database_address(str(engine.url.database)))
    monkeypatch.setenv("COLUMNS", "250")
