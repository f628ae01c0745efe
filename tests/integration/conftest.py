"""Fixtures of the tests of workflows and workers besides a database."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from celery import Celery
from sqlalchemy import Engine

import workers.worker  # noqa: F401 - it has the task
from cli.embedded import EmbeddedServer
from infrastructure.celery_app import app
from infrastructure.wakeups import Publisher
from models.engine import create
from tests import servers
from tests.embedded_servers import start_valkey
from tests.integration.harness import Harness


@pytest.fixture(scope="session")
def worker_engine(worker_id: str, template_database: str) -> Iterator[Engine]:
    """An engine on a database that the tests of one process use one after another."""
    with servers.temporary_database(f"tutelage_integration_{worker_id}", template_database) as address:
        engine = create(address, pool_size=20)
        yield engine
        engine.dispose()


@pytest.fixture
def engine(worker_engine: Engine) -> Engine:
    servers.empty(worker_engine)
    return worker_engine


@pytest.fixture
def harness(engine: Engine) -> Harness:
    """A worker's belongings on an empty database, where everything really commits."""
    return Harness(engine)


@dataclass
class StoppableValkey:
    """A Valkey of the test process's own, which may be unavailable for a while."""

    server: EmbeddedServer
    folder: Path

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stopped: connections are refused. Back on the same port afterwards, and empty."""
        port = int(self.server.url.rpartition(":")[2].partition("/")[0])
        self.server.stop()
        try:
            yield
        finally:
            self.server = start_valkey(self.folder, port)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.server.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def worker_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoppableValkey]:
    """A Valkey that only the tests of one process use, one after another."""
    folder = tmp_path_factory.mktemp("valkey")
    own = StoppableValkey(start_valkey(folder), folder)
    yield own
    own.server.stop()


@pytest.fixture
def stoppable_valkey(worker_valkey: StoppableValkey) -> StoppableValkey:
    with redis.Redis.from_url(worker_valkey.server.url) as client:
        client.flushall()
    return worker_valkey


@pytest.fixture
def valkey(stoppable_valkey: StoppableValkey) -> EmbeddedServer:
    return stoppable_valkey.server


@pytest.fixture
def celery_app(stoppable_valkey: StoppableValkey, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setattr(app.conf, "broker_url", stoppable_valkey.server.url)
    return app


@pytest.fixture
def publisher(celery_app: Celery) -> Publisher:
    return Publisher(celery_app)
