"""Wake-ups by RabbitMQ (BROKER_URL), and what becomes of deliveries while it is away."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from celery import Celery
from click.testing import CliRunner
from kombu import Connection

from cli.embedded import free_port
from cli.main import main
from infrastructure.broker import broker_settings
from infrastructure.celery_app import app
from infrastructure.wakeups import BROKER_TROUBLE, Publisher
from tests.booking_system import Tutelage, running_tutelage
from tests.cli.test_server_addresses import behind_tls, wakeup
from tests.eventually import eventually
from tests.faults.checks import wait_until_quiet
from tests.faults.clients import Crowd
from tests.integration.test_webhook_tls import Authority
from tests.rabbitmq import MISSING, PROGRAM, RabbitMq, running_rabbitmq
from workflows.events import QUEUES

pytestmark = [pytest.mark.skipif(PROGRAM is None, reason=MISSING), pytest.mark.timeout(600)]
CLIENTS, LIVES = 2, 12
GIVES_UP_SECONDS = 10


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "data") as server:
        yield server


@pytest.fixture
def system(tmp_path: Path, database_url: str, redis_url: str, rabbitmq: RabbitMq) -> Iterator[Tutelage]:
    shared = {
        "DATABASE_URL": database_url,
        "REDIS_URL": f"{redis_url.rpartition('/')[0]}/13",
        "BROKER_URL": rabbitmq.url,
    }
    with running_tutelage(tmp_path / "data", without=("streams", "flower"), environment=shared) as system:
        system.add_offers(2)
        yield system


def play(system: Tutelage) -> None:
    record = Crowd(system, CLIENTS, LIVES).wait()
    assert (len(record.completed), record.wrong) == (LIVES, [])
    _took, owed = wait_until_quiet(system.database_url, time.monotonic())
    assert owed == []
    system.require_effects(LIVES)


def lists_in_redis(redis_url: str) -> set[str]:
    with redis.Redis.from_url(f"{redis_url.rpartition('/')[0]}/13", decode_responses=True) as client:
        keys: list[str] = client.keys()
    return {key for key in keys if key in QUEUES or "kombu" in key or "celery" in key}


def test_lives_go_by_rabbitmq_and_outlast_it(system: Tutelage, rabbitmq: RabbitMq, redis_url: str) -> None:
    play(system)
    with Connection(rabbitmq.url) as connection:
        known = {queue: connection.default_channel.queue_declare(queue, passive=True) for queue in QUEUES}
    assert [queue for queue, found in known.items() if found.consumer_count != 1] == []
    assert lists_in_redis(redis_url) == set()
    rabbitmq.kill()
    meanwhile = Crowd(system, 1, 1)
    eventually(lambda: meanwhile.record.accepted, "an accept while RabbitMQ is away")
    rabbitmq.start()
    record = meanwhile.wait()
    assert (len(record.completed), record.wrong) == (1, [])
    play(system)


def test_a_publisher_gives_up_soon_and_goes_on(rabbitmq: RabbitMq) -> None:
    url = f"amqp://guest:guest@127.0.0.1:{free_port()}//;{rabbitmq.url}"
    with Celery("publisher", set_as_current=False) as publishing:
        publishing.conf.update(task_queues=app.conf.task_queues, **broker_settings(url))
        publisher = Publisher(publishing)
        # A queue that nobody has made is made, and the first of the hosts is not there.
        before = publisher.waiting("reviews")
        publisher.publish([wakeup()])
        eventually(lambda: publisher.waiting("reviews") == before + 1, "the message")
        rabbitmq.kill()

        def is_refused() -> bool:
            began = time.monotonic()
            try:
                publisher.publish([wakeup()])
            except BROKER_TROUBLE:
                assert time.monotonic() - began < GIVES_UP_SECONDS
                return True
            return False

        eventually(is_refused, "a refusal")
        rabbitmq.start()
        eventually(lambda: not is_refused(), "a message after it")


def doctor(folder: Path, broker_url: str) -> str:
    environment = {"DATABASE_URL": "", "REDIS_URL": "", "BROKER_URL": broker_url}
    ports = ["--port", str(free_port()), "--flower-port", str(free_port())]
    return CliRunner().invoke(main, ["doctor", "--data-dir", str(folder), *ports], env=environment).output


def test_rabbitmq_is_reached_over_tls_with_a_private_authority(tmp_path: Path, rabbitmq: RabbitMq) -> None:
    trusted, other = Authority(tmp_path, "trusted"), Authority(tmp_path, "other")
    with behind_tls(rabbitmq, trusted.server("127.0.0.1")) as port:
        parts = urlsplit(rabbitmq.url)
        address = urlunsplit(parts._replace(scheme="amqps", netloc=f"guest:guest@127.0.0.1:{port}"))
        assert "ok       RabbitMQ answers" in doctor(tmp_path, f"{address}?ssl_ca_certs={trusted.file}")
        # Nothing but an address that says so leaves a certificate unverified.
        for wrong in (address, f"{address}?ssl_ca_certs={other.file}"):
            assert "WRONG    Workers cannot reach RabbitMQ" in doctor(tmp_path, wrong)
        assert "ok       RabbitMQ answers" in doctor(tmp_path, f"{address}?ssl_cert_reqs=none")
    with behind_tls(rabbitmq, trusted.server("rabbitmq.example")) as port:
        parts = parts._replace(scheme="amqps", netloc=f"guest:guest@127.0.0.1:{port}")
        assert "WRONG    Workers" in doctor(tmp_path, f"{urlunsplit(parts)}?ssl_ca_certs={trusted.file}")
