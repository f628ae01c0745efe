"""Tests of the embedded servers: who runs them, where, and what survives."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from cli.embedded import EmbeddedServer, StartError, free_port, own_folder, password_file, start_postgres
from cli.plan import ROOT
from tests.embedded_servers import start_valkey

FAST = {"fsync": "off"}


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that only its owner may enter, as `mktemp -d` makes them."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A PostgreSQL below a folder that only its owner may enter."""
    server = start_postgres(tmp_path_factory.mktemp("closed") / "postgres", settings=FAST)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a PostgreSQL that has run and was stopped, as each test leaves it again."""
    folder = tmp_path_factory.mktemp("stopped") / "postgres"
    start_postgres(folder, settings=FAST).stop()
    return folder


def test_servers_run_as_an_ordinary_user_below_a_closed_folder(closed: Path, postgres: EmbeddedServer) -> None:
    valkey = start_valkey(closed / "redis")
    try:
        for server in (postgres, valkey):
            assert psutil.Process(server.process.pid).uids().real != 0
            assert stat.S_IMODE(server.log.parent.stat().st_mode) == 0o700
        with redis.Redis.from_url(valkey.url) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    finally:
        valkey.stop()


def test_postgres_asks_for_the_password_in_its_private_file(postgres: EmbeddedServer) -> None:
    assert stat.S_IMODE(password_file(postgres.log.with_suffix("")).stat().st_mode) == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url, password="guessed")


def test_settings_of_the_cluster(postgres: EmbeddedServer) -> None:
    with psycopg.connect(postgres.url) as db:
        assert db.info.server_version >= 180000
        for setting, value in (("TimeZone", "UTC"), ("server_encoding", "UTF8"), ("data_checksums", "on")):
            assert db.execute("SELECT current_setting(%s)", [setting]).fetchone() == (value,)


def test_data_is_kept_over_a_restart_and_over_a_kill(stopped: Path) -> None:
    first = start_postgres(stopped)
    with psycopg.connect(first.url) as db:
        db.execute("CREATE TABLE kept AS SELECT 1 AS one")
    backends = psutil.Process(first.process.pid).children()
    first.process.kill()
    first.process.wait()
    # Its children notice by themselves; until then PostgreSQL rightly refuses a second server on the same data.
    psutil.wait_procs(backends, timeout=30)
    second = start_postgres(stopped)
    try:
        with psycopg.connect(second.url) as db:
            assert db.execute("SELECT one FROM kept").fetchone() == (1,)
    finally:
        second.stop()


def test_an_interrupted_initdb_does_not_break_the_next_start(closed: Path) -> None:
    folder = closed / "postgres"
    own_folder(folder)
    half = folder / "data.unfinished"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    owner = folder.stat()
    for path in (half, half / "PG_VERSION"):
        os.chown(path, owner.st_uid, owner.st_gid)
    start_postgres(folder, settings=FAST).stop()
    assert not half.exists()


@pytest.mark.parametrize("text", [f"{os.getpid()}\n", ""], ids=["another process", "empty"])
def test_a_stale_pid_file_does_not_stop_the_next_start(stopped: Path, text: str) -> None:
    pid_file = stopped / "data" / "postmaster.pid"
    pid_file.write_text(text)
    owner = stopped.stat()
    os.chown(pid_file, owner.st_uid, owner.st_gid)
    start_postgres(stopped, settings=FAST).stop()


def test_a_server_that_cannot_start_says_why(stopped: Path, postgres: EmbeddedServer) -> None:
    taken = int(postgres.url.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(StartError, match="Address already in use"):
        start_postgres(stopped, port=taken, settings=FAST)


def test_servers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    start = "start_valkey(pathlib.Path(sys.argv[1]))"
    code = f"import sys, pathlib; from tests.embedded_servers import start_valkey; print({start}.process.pid)"
    command = [sys.executable, "-c", code, str(tmp_path / "redis")]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    # It may have ended by now.
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(said.stdout)).wait(timeout=30)


def test_a_free_port_is_kept_for_its_server() -> None:
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        # As the kernel chooses for connections, and for servers that ask for any port.
        other.bind(("127.0.0.1", port))
    # Before its server starts, after it has ended, and when it starts again.
    for _start in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port)).close()
