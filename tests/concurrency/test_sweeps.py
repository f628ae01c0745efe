"""Two sweeps at once: between them they call for everything that is overdue, and count what they publish."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from celery import Celery
from kombu import Queue
from sqlalchemy import Engine, text

from cli.servers import start_valkey
from models.engine import create
from tests import factories
from tests.concurrency.racing import Race
from workers.nudge import Publisher
from workers.sweep import Sweep
from workflows.events.subscriptions import QUEUES

REQUESTS = 40
ROUNDS = 20


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey whose lists nobody else fills."""
    server = start_valkey(tmp_path_factory.mktemp("valkey") / "redis")
    yield server.url
    server.stop()


@pytest.fixture
def lists(own_valkey: str) -> Iterator[redis.Redis]:
    """The queues' lists, empty to begin with."""
    with redis.Redis.from_url(own_valkey) as client:
        client.flushall()
        yield client


@pytest.fixture
def sweeps(database_url: str, own_valkey: str) -> Iterator[list[Sweep]]:
    """Two sweeps, each with connections of its own."""
    app = Celery("sweeps", broker=own_valkey)
    app.conf.task_queues = [Queue(name, routing_key=name) for name in QUEUES]
    engines = [create(database_url, pool_size=1) for _ in range(2)]
    yield [Sweep(engine, Publisher(app)) for engine in engines]
    for engine in engines:
        engine.dispose()


def test_two_sweeps_at_once_call_for_everything_and_count_every_call(
    engine: Engine, race: Race, sweeps: list[Sweep], lists: redis.Redis
) -> None:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        for _ in range(REQUESTS):
            factories.make_booking(db, listing=listing, mentee=mentee)
    for _ in range(ROUNDS):
        lists.flushall()
        with engine.begin() as db:
            db.execute(text("UPDATE deliveries SET nudges = 0, due_at = now(), nudge_at = now()"))
            overdue = db.scalar(text("SELECT count(*) FROM deliveries"))
        called = race.run([sweep.once for sweep in sweeps])
        published = sum(lists.llen(queue) for queue in QUEUES)
        # What one of them holds, the other one leaves alone.
        assert sum(called) == published == overdue
        with engine.begin() as db:
            assert db.execute(text("SELECT min(nudges), max(nudges), sum(nudges) FROM deliveries")).one() == (
                1,
                1,
                published,
            )


def test_what_is_published_but_still_in_its_list_is_not_called_for_again(
    engine: Engine, sweeps: list[Sweep], lists: redis.Redis
) -> None:
    with engine.begin() as db:
        factories.make_booking(db)
        db.execute(text("UPDATE deliveries SET due_at = now(), nudge_at = now()"))
    assert sweeps[0].once() > 0
    assert sweeps[1].once() == 0
    assert sum(lists.llen(queue) for queue in QUEUES) > 0
