"""Start the embedded servers without a process manager, and wait for any server until it answers."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cli.embedded import DATABASE, password_file, prepare_postgres

ROOT = Path(__file__).resolve().parent.parent


class ServerError(Exception):
    """A server did not come up; the message says which and what it said last."""


@dataclass(frozen=True)
class Server:
    """A running embedded server: where it is, and its process (the server itself, no shell between)."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """End it cleanly (SIGINT is PostgreSQL's fast shutdown, which does not wait for clients), or kill it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_postgres(folder: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> Server:
    """Start the embedded PostgreSQL on a folder and wait until its database `tutelage` answers.

    Args:
        folder: kept between runs; made when missing.
        port: on 127.0.0.1; 0 picks a free one.
        settings: what differs from cli.embedded.POSTGRES_SETTINGS.
    Raises:
        ServerError: when it does not answer in time.
    """
    port = port or free_port()
    extra = [word for name, value in (settings or {}).items() for word in ("--set", f"{name}={value}")]
    prepare_postgres(folder)
    url = postgres_url(folder, port)
    process, log = _spawn("postgres", folder, port, extra)
    wait_for_postgres(url, lambda: _still_runs(process, log))
    return Server(url, process, log)


def start_valkey(folder: Path, port: int = 0) -> Server:
    """Start the embedded Valkey and wait until it answers; arguments and errors as for start_postgres."""
    port = port or free_port()
    process, log = _spawn("redis", folder, port, [])
    wait_for_redis(redis_url(port), lambda: _still_runs(process, log))
    return Server(redis_url(port), process, log)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_url(port: int) -> str:
    """The address of the embedded Valkey."""
    return f"redis://127.0.0.1:{port}/0"


def postgres_url(folder: Path, port: int) -> str:
    """The address of our database in the embedded PostgreSQL, with the password that its folder keeps."""
    password = password_file(folder).read_text().strip()
    return f"postgresql://{DATABASE}:{password}@127.0.0.1:{port}/{DATABASE}"


def wait_for_postgres(url: str, check: Callable[[], None], seconds: float = 90) -> None:
    """Wait until a PostgreSQL takes connections, and make the database that the address names where it is missing.

    Args:
        check: called between attempts; raises when waiting has become pointless.
    """
    name = str(conninfo_to_dict(url)["dbname"])

    def attempt() -> None:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if f'database "{name}" does not exist' not in str(error):
                raise
            with psycopg.connect(url, dbname="postgres", connect_timeout=5, autocommit=True) as db:
                db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    wait_until(attempt, (psycopg.OperationalError,), check, "PostgreSQL", seconds)


def wait_for_redis(url: str, check: Callable[[], None], seconds: float = 30) -> None:
    """Wait until a Redis or Valkey answers a ping."""

    def attempt() -> None:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()

    wait_until(attempt, (redis.exceptions.RedisError, OSError), check, "Redis", seconds)


def wait_until(
    attempt: Callable[[], None],
    not_yet: tuple[type[Exception], ...],
    check: Callable[[], None],
    name: str,
    seconds: float,
) -> None:
    """Repeat an attempt until it raises none of the errors that mean "not yet".

    Raises:
        ServerError: after that many seconds, with the last error.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except not_yet as error:
            check()
            if time.monotonic() > deadline:
                raise ServerError(f"{name} did not answer within {seconds:.0f} seconds: {error}") from error
        time.sleep(0.05)


def _spawn(server: str, folder: Path, port: int, extra: list[str]) -> tuple[subprocess.Popen[bytes], Path]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}.log"
    command = [sys.executable, "-m", "cli.embedded", server, "--folder", str(folder.absolute()), "--port", str(port)]
    with log.open("ab") as output:
        # A session of its own: Ctrl-C in the terminal must not reach the server before what uses it has ended.
        process = subprocess.Popen(
            [*command, *extra], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return process, log


def _still_runs(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is not None:
        said = log.read_text(errors="replace")[-2000:]
        raise ServerError(f"The server ended with code {process.returncode}. It said:\n{said}")
