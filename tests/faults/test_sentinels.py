"""A Valkey behind sentinels is lost under load: what was accepted becomes sessions, by way of its replica."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from rich.console import Console

from cli.embedded import EmbeddedServer
from tests import servers
from tests.embedded_servers import start_valkey
from tests.eventually import eventually
from tests.faults.day import Day, a_market, processes_of
from tests.faults.faults import STEP_SECONDS, Once
from tests.processes import kill_all
from tests.sentinels import NAME, Sentinel, sentinel_url, sentinels

PASSWORD = "of a Valkey"
CLIENTS = 3
MENTORS = 11


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    """A Valkey with a password, and a replica of it."""
    primary = start_valkey(folder / "primary")
    replica = start_valkey(folder / "replica")
    try:
        for each in (primary, replica):
            with redis.Redis.from_url(each.url) as client:
                client.config_set("masterauth", PASSWORD)
                if each is replica:
                    client.replicaof("127.0.0.1", urlsplit(primary.url).port)
                client.config_set("requirepass", PASSWORD)
        yield primary, replica
    finally:
        replica.stop()
        primary.stop()


def asked_of(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, password=PASSWORD)


def await_agreement(watching: list[Sentinel]) -> None:
    """Wait until each sentinel knows the replica and all others."""
    for each in watching:
        with each.client() as client:
            eventually(lambda: client.sentinel_slaves(NAME), "the replica")
            eventually(lambda: len(client.sentinel_sentinels(NAME)) == len(watching) - 1, "all sentinels")


# Starting a system takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_a_failover_under_load_loses_nothing(tmp_path: Path) -> None:
    servers.prepare_data_folder(tmp_path / "data")
    with (
        replicated(tmp_path) as (primary, replica),
        sentinels(tmp_path, primary, 3, login=PASSWORD) as watching,
    ):
        await_agreement(watching)

        def fail() -> None:
            # With the sentinel that is asked first.
            kill_all(psutil.Process(each.process.pid) for each in (primary, watching[0]))
            port = urlsplit(replica.url).port
            eventually(lambda: watching[1].master() == port, "another master")
            with asked_of(replica) as client:
                eventually(lambda: client.info("replication")["role"] == "master", "the replica as master")

        environment = {"REDIS_URL": sentinel_url([each.port for each in watching], PASSWORD)}
        with a_market(tmp_path / "data", MENTORS, environment) as (market, inbox):
            pids = processes_of(market.system)
            day = Day(market, Once("lose Valkey", fail, market.accepted), inbox, Console(width=140))
            assert day.suffer(STEP_SECONDS, CLIENTS)
            # Every part has followed, without a restart.
            assert processes_of(market.system) == pids
