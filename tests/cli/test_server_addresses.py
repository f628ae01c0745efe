"""Tests of the addresses of PostgreSQL and Redis: every form that there is, against real servers."""

import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
import pytest
import redis
from celery import Celery
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from api.limits.counters import RedisCounter
from cli.embedded import EmbeddedServer, free_port, start_postgres
from cli.main import main
from cli.plan import PARTS
from config.limits import RateLimit
from config.servers import broker_address, database_address, redis_address
from config.settings import settings
from infrastructure.broker import broker_settings
from infrastructure.wakeups import BROKER_TROUBLE, Publisher
from models.engine import create
from tests.cli.running import tutelage_up
from tests.embedded_servers import start_valkey
from tests.eventually import eventually
from tests.integration.test_webhook_tls import Authority
from tests.rabbitmq import RabbitMq
from tests.sentinels import sentinel_url, sentinels
from workflows.events.record import Wakeup

PARTS_THAT_REACH_REDIS = ("api", "sweep", "worker-sessions")
WITHOUT = tuple(part.name for part in PARTS if part.name not in PARTS_THAT_REACH_REDIS and part.name != "postgres")


@pytest.fixture(scope="module")
def standby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A PostgreSQL that takes no changes."""
    server = start_postgres(tmp_path_factory.mktemp("standby") / "postgres", settings={"fsync": "off"})
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        db.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def socket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, EmbeddedServer]]:
    """A PostgreSQL that listens at a socket, and the folder of that, whose path must be short."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        settings = {"fsync": "off", "unix_socket_directories": folder}
        server = start_postgres(tmp_path_factory.mktemp("socket") / "postgres", settings=settings)
        yield folder, server
        server.stop()


def doctor(folder: Path, environment: Mapping[str, str]) -> str:
    """The output of `tutelage doctor` in that environment."""
    ports = ["--port", str(free_port()), "--flower-port", str(free_port())]
    chosen = {"DATABASE_URL": "", "REDIS_URL": "", **environment}
    return CliRunner().invoke(main, ["doctor", "--data-dir", str(folder), *ports], env=chosen).output


def reached(address: str) -> tuple[str, bool]:
    """The name of the database that an engine of this address reaches, and whether it takes changes."""
    engine = create(database_address(address), pool_size=1, warn=False)
    try:
        with engine.connect() as db:
            name = db.scalar(text("SELECT current_database()"))
            return str(name), db.scalar(text("SHOW transaction_read_only")) == "off"
    finally:
        engine.dispose()


def test_of_several_hosts_the_one_that_takes_changes_is_used(
    tmp_path: Path, database_url: str, standby: EmbeddedServer
) -> None:
    primary, other = conninfo_to_dict(database_url), conninfo_to_dict(standby.url)
    port, name, user = primary["port"], primary["dbname"], primary["user"]
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{other['port']},127.0.0.1:{port}"
    with psycopg.connect(standby.url, autocommit=True, options="-c default_transaction_read_only=off") as db:
        db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))
    # Both servers have a user of this name, but a password each.
    file = tmp_path / "passwords"
    file.write_text(f"*:{port}:*:*:{primary['password']}\n*:{other['port']}:*:*:{other['password']}\n")
    file.chmod(0o600)
    rest = f"target_session_attrs=read-write&passfile={quote(str(file))}"
    spaced = hosts.replace("127.0.0.1:", "")
    for address in (
        f"postgresql://{user}@{hosts}/{name}?{rest}",
        f"postgresql+psycopg://{user}@{hosts}/{name}?{rest}",
        f"postgresql://{user}@/{name}?host=127.0.0.1,127.0.0.1,127.0.0.1&port={spaced}&{rest}",
        f"host=127.0.0.1,127.0.0.1,127.0.0.1 port={spaced} dbname={name} user={user} "
        f"target_session_attrs=read-write passfile={file}",
    ):
        assert reached(address) == (name, True), address
        said = doctor(tmp_path, {"DATABASE_URL": address})
        assert "ok       PostgreSQL 18 answers" in said, said
        settings.cache_clear()
        migrated = CliRunner().invoke(main, ["migrate"], env={"DATABASE_URL": address})
        assert migrated.exit_code == 0, migrated.output
    # The first that answers is a standby.
    said = doctor(tmp_path, {"DATABASE_URL": f"postgresql://{user}@{hosts}/{name}?passfile={quote(str(file))}"})
    assert "takes no changes, as a standby" in said
    assert "target_session_attrs=read-write" in said


def test_sockets_services_and_percent_signs_reach_the_database(
    tmp_path: Path, socket_server: tuple[str, EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, server = socket_server
    known = conninfo_to_dict(server.url)
    port = known["port"]
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("""CREATE ROLE "a@b/c:d" LOGIN SUPERUSER PASSWORD 'p@ss/w:rd%+&'""")
    login = "a%40b%2Fc%3Ad:p%40ss%2Fw%3Ard%25%2B%26"
    file = tmp_path / "services"
    file.write_text(f"[bookings]\nhost=127.0.0.1\nport={port}\ndbname=tutelage\nuser=a@b/c:d\npassword=p@ss/w:rd%+&\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    for address in (
        f"postgresql://{login}@127.0.0.1:{port}/tutelage",
        f"postgresql://{login}@%2Ftmp%2F{Path(folder).name}:{port}/tutelage",
        f"postgresql://{login}@/tutelage?host={folder}&port={port}",
        "postgresql://?service=bookings",
        "service=bookings",
    ):
        assert reached(address) == ("tutelage", True), address
        assert "The database is at revision nothing" in doctor(tmp_path, {"DATABASE_URL": address}), address


def test_the_system_starts_with_several_hosts(tmp_path: Path, database_url: str, redis_url: str) -> None:
    found = conninfo_to_dict(database_url)
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{found['port']}"
    address = f"postgresql://{found['user']}:{found['password']}@{hosts}/{found['dbname']}"
    address += "?target_session_attrs=primary&connect_timeout=4"
    environment = {"DATABASE_URL": address, "REDIS_URL": redis_url, "API_WORKERS": "1"}
    without = tuple(part.name for part in PARTS if part.name not in ("api", "sweep", "maintain", "streams"))
    with tutelage_up(tmp_path / "data", without=without, environment=environment) as up:
        assert up.run()["database_url"] == address


@contextmanager
def behind_tls(server: EmbeddedServer | RabbitMq, tls: ssl.SSLContext) -> Iterator[int]:
    """A port at which TLS is spoken for a server that speaks none: the wheel's Valkey is built without it."""
    target = urlsplit(server.url)

    def pipe(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def talk(plain: socket.socket) -> None:
        with (
            suppress(OSError),
            closing(tls.wrap_socket(plain, server_side=True)) as client,
            socket.create_connection((str(target.hostname), int(target.port or 0))) as inner,
        ):
            answers = threading.Thread(target=pipe, args=(inner, client), daemon=True)
            answers.start()
            pipe(client, inner)
            answers.join()

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def wakeup() -> Wakeup:
    """One wake-up of the queue `reviews`, where no worker of these tests listens."""
    ids = {"event_id": uuid4(), "subject_id": uuid4()}
    return Wakeup(effect="reviews.unlock", target="", queue="reviews", subject="session", **ids)


def waiting(server: EmbeddedServer) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.llen("reviews"))


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = start_valkey(tmp_path / "redis")
    yield server
    server.stop()


def test_redis_is_reached_over_tls_with_a_private_authority(tmp_path: Path, valkey: EmbeddedServer) -> None:
    trusted, other = Authority(tmp_path, "trusted"), Authority(tmp_path, "other")
    with behind_tls(valkey, trusted.server("127.0.0.1")) as port:
        address = f"rediss://127.0.0.1:{port}/0"
        url = f"{address}?ssl_ca_certs={trusted.file}"
        found = RedisCounter(url, lookup_seconds=5).count([("key", RateLimit(5, 60))])
        assert [each.used for each in found] == [0]
        with Celery("tls", set_as_current=False) as app:
            app.conf.update(broker_settings(url))
            Publisher(app).publish([wakeup()])
        assert waiting(valkey) == 1
        assert "ok       Redis answers over TLS, to the API and to workers" in doctor(tmp_path, {"REDIS_URL": url})
        with tutelage_up(tmp_path / "data", without=WITHOUT, environment={"REDIS_URL": url}) as up:
            # It waits for an answer of the worker by way of Redis.
            assert up.run()["redis_url"] == url
        # Nothing but an address that says so leaves a certificate unverified.
        for wrong in (address, f"{address}?ssl_ca_certs={other.file}"):
            said = doctor(tmp_path, {"REDIS_URL": wrong})
            assert "WRONG    Redis cannot be reached" in said
            assert "certificate verify failed" in said
        unverified = doctor(tmp_path, {"REDIS_URL": f"{address}?ssl_cert_reqs=none"})
        assert "ok       Redis answers over TLS" in unverified, unverified
    with behind_tls(valkey, trusted.server("redis.example")) as port:
        said = doctor(tmp_path, {"REDIS_URL": f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={trusted.file}"})
        assert "certificate verify failed" in said


def test_redis_is_reached_by_sentinels_and_followed(tmp_path: Path, valkey: EmbeddedServer) -> None:
    replica = start_valkey(tmp_path / "replica")
    with ExitStack() as stack:
        stack.callback(replica.stop)
        with redis.Redis.from_url(replica.url) as client:
            client.replicaof("127.0.0.1", urlsplit(valkey.url).port)
        (sentinel,) = stack.enter_context(sentinels(tmp_path, valkey))
        # The first of them is not there.
        url = sentinel_url([free_port(), sentinel.port])
        counter = RedisCounter(url, lookup_seconds=5)

        def used() -> int | None:
            with suppress(redis.RedisError):
                return counter.count([("key", RateLimit(500, 60))])[0].used + 1
            return None

        assert eventually(used, "a count through the sentinel") == 1
        assert "ok       Redis answers by sentinel as bookings" in doctor(tmp_path, {"REDIS_URL": url})
        assert "Redis cannot be reached" in doctor(tmp_path, {"REDIS_URL": url.replace("=bookings", "=others")})
        app = stack.enter_context(Celery("sentinels", set_as_current=False))
        app.conf.update(broker_settings(url))
        publisher = Publisher(app)
        publisher.publish([wakeup()])
        assert waiting(valkey) == 1
        with tutelage_up(tmp_path / "data", without=WITHOUT, environment={"REDIS_URL": url}) as up:
            worker = up.pid("worker-sessions")
            with sentinel.client() as asked:
                eventually(lambda: asked.sentinel_slaves("bookings"), "the replica")
                eventually(lambda: _failed_over(asked), "a failover")
                eventually(lambda: sentinel.master() == urlsplit(replica.url).port, "another master")
            with redis.Redis.from_url(replica.url) as client:
                eventually(lambda: client.info("replication")["role"] == "master" or None, "the replica as master")
            valkey.stop()
            eventually(lambda: _published(publisher), "a wake-up after the failover")
            assert waiting(replica) >= 1
            eventually(used, "a count after the failover")
            eventually(lambda: app.control.ping(timeout=1) or None, "the worker after the failover")
            assert up.pid("worker-sessions") == worker


def _failed_over(asked: redis.Redis) -> bool:
    with suppress(redis.ResponseError):
        return bool(asked.sentinel_failover("bookings"))
    return False


def _published(publisher: Publisher) -> bool:
    with suppress(*BROKER_TROUBLE):
        publisher.publish([wakeup()])
        return True
    return False


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("mysql://u:hunter2@db/x", r"libpq takes\.$"),
        ("nothing of the kind hunter2", "missing"),
        ("postgresql://u:hunter2@db:port/x", "a port is a number from 1 to 65535"),
        ("postgresql://u:hunter2@db:0/x", "a port is a number from 1 to 65535"),
        ("postgresql://u:hunter2@db:70000/x", "a port is a number from 1 to 65535"),
        ("postgresql://u:hunter2@/x?host=a,b,c&port=1,2", "it has 2 ports for 3 hosts"),
        ("postgresql://u:hunter2%zz@db/x", "invalid percent-encoded token"),
        ("postgresql://u:hunter2@[::1/x", "IPv6 host address"),
        ("postgresql://u:hunter2@db/x?hunter2=1", "invalid URI query parameter"),
    ],
)
def test_an_address_that_libpq_does_not_take_is_refused(given: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        database_address(given)
    assert "hunter2" not in str(refused.value)
    assert "DATABASE_URL" in str(refused.value)


def test_an_ipv6_address_has_brackets() -> None:
    assert conninfo_to_dict(database_address("postgresql://u@[::1]:5433,[fe80::1]:5434/x"))["host"] == "::1,fe80::1"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("localhost", "REDIS_URL must read redis://"),
        ("redis://h:port", "REDIS_URL must read redis://"),
        ("redis://h/zero", "REDIS_URL must read redis://"),
        ("redis://h;redis://i", "REDIS_URL must read redis://"),
        ("sentinel://h:26379", r"\?master_name=name"),
        ("redis://h?db=1", "the unknown parameter db; redis:// takes: none"),
        ("rediss://h?ssl_cert_reqs=perhaps", "ssl_cert_reqs is one of required, optional, none"),
        ("rediss://h?ssl_ca_certs=/not/there.pem", "the file of ssl_ca_certs, /not/there.pem, cannot be read"),
        ("sentinel://h?master_name=m&ssl_ca_certs=x", "the unknown parameter ssl_ca_certs; sentinel:// takes"),
    ],
)
def test_an_address_that_is_no_redis_is_refused(given: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        redis_address(given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("redis://hunter2@h", "BROKER_URL must read amqp://"),
        ("amqp://u:hunter2@", "BROKER_URL must read amqp://"),
        ("amqp://u:hunter2@h:port", "BROKER_URL must read amqp://"),
        ("amqps://u:hunter2@h;amqps://i", "BROKER_URL must read amqp://"),
        ("amqp://u:hunter2@h/v?heartbeat=1", "BROKER_URL has the unknown parameter heartbeat; amqp:// takes: none"),
        ("amqps://u:hunter2@h?ssl_ca_certs=/not/there.pem", "BROKER_URL: the file of ssl_ca_certs, /not/there.pem"),
    ],
)
def test_an_address_that_is_no_rabbitmq_is_refused(given: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        broker_address(given)
    assert "hunter2" not in str(refused.value)


def test_sentinels_have_a_login_of_their_own_beside_that_of_the_redis() -> None:
    given = "sentinel://a:1;sentinel://us%3Aer:p%2Fw@b/3?master_name=m&sentinel_username=s&sentinel_password=t%26"
    found = redis_address(given)
    assert found.sentinels == [("a", 1), ("b", 26_379)]
    assert found.login == {"username": "us:er", "password": "p/w", "db": 3}
    assert found.sentinel_login == {"username": "s", "password": "t&"}
    assert found.urls == ("sentinel://us%3Aer:p%2Fw@a:1/3", "sentinel://b")
