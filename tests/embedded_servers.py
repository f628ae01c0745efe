"""One embedded server without the rest of the system: for tests and for the bench."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.embedded import (
    StartError,
    free_port,
    own_folder,
    postgres_command,
    postgres_url,
    prepare_postgres,
    redis_url,
    valkey_command,
    wait_for_postgres,
    wait_for_redis,
)


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server: its address, its process (the server itself, no shell between), and its log."""

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


def start_postgres(folder: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Start the embedded PostgreSQL on a folder and wait until its database `tutelage` answers.

    Args:
        folder: kept between runs; made when missing.
        port: on 127.0.0.1; 0 picks a free one.
        settings: over POSTGRES_SETTINGS.
    Raises:
        StartError: when it does not answer in time.
    """
    folder, port = folder.absolute(), port or free_port()
    prepare_postgres(folder, settings or {})
    server = _start(postgres_command(folder, port, settings or {}), folder, postgres_url(folder, port))
    wait_for_postgres(server.url, lambda: _require_running(server))
    return server


def start_valkey(folder: Path, port: int = 0) -> EmbeddedServer:
    """Start the embedded Valkey and wait until it answers; arguments and errors as for start_postgres."""
    folder, port = folder.absolute(), port or free_port()
    own_folder(folder)
    server = _start(valkey_command(folder, port), folder, redis_url(port))
    wait_for_redis(server.url, lambda: _require_running(server))
    return server


def _start(command: list[str], folder: Path, url: str) -> EmbeddedServer:
    log = folder.parent / f"{folder.name}.log"
    with log.open("ab") as output:
        # A session of its own: Ctrl-C in the terminal must not reach the server before what uses it has ended.
        process = subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return EmbeddedServer(url, process, log)


def _require_running(server: EmbeddedServer) -> None:
    if server.process.poll() is not None:
        said = server.log.read_text(errors="replace")[-2000:]
        raise StartError(f"The server ended with code {server.process.returncode}. Its log ends:\n{said}")
