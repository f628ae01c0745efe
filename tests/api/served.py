"""The API as it is really run, with routes of the tests' own, and how to speak to it byte by byte."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import urllib3

from cli.embedded import free_port
from cli.plan import ROOT
from tests.application import SECRET
from tests.eventually import eventually
from tests.log_secrets import remember_environment
from tests.processes import kill_all


@dataclass(frozen=True)
class Served:
    """A running server: its master process, its log, and where it listens."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def get(self, path: str, *, timeout: float = 20, **headers: str) -> urllib3.BaseHTTPResponse:
        """Ask once, over a connection of its own, which any worker may accept."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with urllib3.PoolManager(retries=False, timeout=timeout) as http:
            return http.request("GET", self.url + path, headers={"Connection": "close", **sent})

    def answers(self) -> bool:
        try:
            return self.get("/health/live", timeout=1).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def connected(self, *pieces: bytes, timeout: float = 20) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        for piece in pieces:
            client.sendall(piece)
        return client

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def serving(folder: Path, database_url: str, **variables: str) -> Iterator[Served]:
    """Run tests/api/running.py until the end of the block; gives it once it answers."""
    with started(folder, DATABASE_URL=database_url, **variables) as served:
        eventually(served.answers, "the API", seconds=120)
        yield served


@contextmanager
def started(folder: Path, host: str = "127.0.0.1", port: int = 0, /, **variables: str) -> Iterator[Served]:
    """Start it, and kill what is left of it at the end of the block."""
    port = port or free_port()
    log = folder / "log"
    settings = {"JWT_SECRET": SECRET, "REDIS_URL": "redis://127.0.0.1:1/0", "API_WORKERS": "2", "API_THREADS": "2"}
    remember_environment({**settings, **variables})
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.api.running", host, str(port)],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            env={**os.environ, **settings, **variables},
        )
        family = []
        try:
            yield Served(process, log, port)
            family = psutil.Process(process.pid).children() if process.poll() is None else []
        finally:
            process.kill()
            kill_all(family)
            process.wait()


def heard(client: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Everything until the server closes: status, headers by lower-case name, and the body, from JSON if it is that."""
    whole = b""
    while piece := client.recv(65_536):
        whole += piece
    client.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body) if "json" in headers.get("content-type", "") else body
