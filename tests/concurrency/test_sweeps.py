"""Two sweeps at once: between them they call for everything that is overdue, and count what they publish."""

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence

import pytest
import redis
from celery import Celery
from kombu import Queue
from sqlalchemy import Engine, text

from infrastructure.wakeups import Publisher
from models.engine import create
from models.events import DeliveryState
from tests import factories
from tests.concurrency.deliveries import Harness
from tests.concurrency.racing import ROUNDS, Race
from tests.embedded_servers import start_valkey
from tests.queries import execute
from workers.sweep import Sweep
from workflows.events import QUEUES
from workflows.events.delivery import DeliveryKey
from workflows.events.record import Wakeup

REQUESTS = 40


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = start_valkey(tmp_path_factory.mktemp("valkey") / "redis")
    yield server.url
    server.stop()


@pytest.fixture
def lists(own_valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_valkey) as client:
        client.flushall()
        yield client


@pytest.fixture
def app(own_valkey: str) -> Celery:
    app = Celery("sweeps", broker=own_valkey)
    app.conf.task_queues = [Queue(name, routing_key=name) for name in QUEUES]
    return app


@pytest.fixture
def sweeps(engine: Engine, app: Celery) -> Iterator[list[Sweep]]:
    engines = [create(engine.url.render_as_string(hide_password=False), pool_size=1) for _ in range(2)]
    yield [Sweep(engine, Publisher(app)) for engine in engines]
    for engine in engines:
        engine.dispose()


def named_in(lists: redis.Redis) -> int:
    waiting = [json.loads(message) for queue in QUEUES for message in lists.lrange(queue, 0, -1)]
    return sum(len(json.loads(b64decode(each["body"]))[1]["deliveries"]) for each in waiting)


def test_two_sweeps_at_once_count_every_wakeup(
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
        published = named_in(lists)
        # What one of them holds, the other one leaves alone.
        assert sum(called) == published == overdue
        assert execute(engine, text("SELECT min(nudges), max(nudges), sum(nudges) FROM deliveries")).one() == (
            1,
            1,
            published,
        )


class Prompt(Publisher):
    """Publishes to workers who look at the rows before the sweep can do anything else."""

    def __init__(self, app: Celery, harness: Harness) -> None:
        super().__init__(app)
        self._harness = harness

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        for wakeup in wakeups:
            self._harness.deliverer.deliver(
                DeliveryKey(event_id=wakeup.event_id, effect=wakeup.effect, target=wakeup.target)
            )


def test_a_worker_may_be_quicker_than_the_sweep(engine: Engine, app: Celery) -> None:
    with engine.begin() as db:
        factories.make_booking(db)
        db.execute(text("UPDATE deliveries SET nudge_at = now() WHERE due_at <= now()"))
    harness = Harness(engine)
    called = harness.due()
    assert Sweep(engine, Prompt(app, harness)).once() == len(called)
    assert {harness.row(key).state for key in called} == {DeliveryState.DONE}
