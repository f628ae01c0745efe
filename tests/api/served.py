"""Gunicorn with the API as it is really run, and how to speak to it byte by byte."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

ROOT = Path(__file__).resolve().parents[2]
# How long tests/api/impatient_settings.py waits for a request.
IMPATIENT_SECONDS = 3.0


@contextmanager
def gunicorn(
    folder: Path, bind: str, settings: str = "api.gunicorn_settings", **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Gunicorn with the API's settings, ended at the end of the block; gives the process and its log.

    Args:
        folder: for the log.
        bind: where it listens.
        settings: the module with gunicorn's settings.
        variables: of its environment.
    """
    log = folder / "log"
    command = [sys.executable, "-m", "gunicorn", "--config", f"python:{settings}", "api.app:create_app()"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--bind", bind],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            env={**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0", "API_WORKERS": "1", **variables},
        )
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


def await_ready(address: str) -> None:
    """Return once the server answers."""
    retry = urllib3.Retry(total=100, backoff_factor=0.05, backoff_max=0.1)
    assert urllib3.request("GET", f"http://{address}/health/live", retries=retry).status == 200


def connected(address: str, *pieces: bytes, timeout: float = 20) -> socket.socket:
    """A connection that has sent these bytes."""
    host, _, port = address.rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=timeout)
    for piece in pieces:
        client.sendall(piece)
    return client


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
