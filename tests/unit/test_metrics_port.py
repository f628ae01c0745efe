"""Tests of the port that figures have of their own: shared by processes, closed without the token, quiet in trouble."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from cli.servers import ROOT, free_port
from config.exposition import FOLDER_VARIABLE
from tests.scraping import Figures

PROGRAM = """
import sys
from config import telemetry
from config.metrics_port import begin_telemetry
from config.settings import settings
begin_telemetry(settings())
telemetry.HTTP_REQUESTS.labels("GET", "/me", "200").inc()
print("ready", flush=True)
sys.stdin.read()
"""
Listen = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def port() -> int:
    """A port that is free."""
    return free_port()


@pytest.fixture
def listen(tmp_path: Path, port: int) -> Iterator[Listen]:
    """Starts a process that shows its figures at that port, and ends it after the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def run(**variables: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, FOLDER_VARIABLE: str(tmp_path), "METRICS_PORT": str(port), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        begun.append(process)
        assert process.stdout is not None
        while b"ready" not in (line := process.stdout.readline()):
            assert line, "it ended"
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def ask(port: int, path: str = "/metrics", **headers: str) -> urllib3.BaseHTTPResponse:
    """One request, over a connection of its own."""
    return urllib3.request("GET", f"http://127.0.0.1:{port}{path}", headers=headers, retries=False, timeout=10)


def test_processes_share_the_port_and_each_answers_for_all(listen: Listen, port: int) -> None:
    first, second = listen(), listen()
    for _ in range(10):
        answer = ask(port)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert Figures.of(answer.data.decode()).total("tutelage_http_requests_total") == 2
    for process in (first, second):
        process.kill()
        process.wait()
        if process is first:
            assert Figures.of(ask(port).data.decode()).total("tutelage_http_requests_total") == 2


def test_there_is_nothing_else_at_it(listen: Listen, port: int) -> None:
    listen()
    assert ask(port, "/api/metrics").status == 200
    for path in ("/", "/me", "/health/live", "/metrics/", "/metrics/../me"):
        assert ask(port, path).status == 404


def test_a_token_is_asked_for_here_too(listen: Listen, port: int) -> None:
    listen(METRICS_TOKEN="a token of 32 bytes for whoever scrapes")
    assert ask(port, Authorization="Bearer a token of 32 bytes for whoever scrapes").status == 200
    refused = [ask(port), ask(port, Authorization="Bearer something else")]
    assert [answer.status for answer in refused] == [401, 401]
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in refused)


def test_nobody_is_kept_from_working_by_a_port_that_is_taken(listen: Listen, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert listen().poll() is None


def test_who_says_nothing_keeps_nobody_waiting(listen: Listen, port: int) -> None:
    listen()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    assert ask(port).status == 200
    for client in silent:
        client.close()


def test_only_this_machine_is_listened_to_unless_said_otherwise(listen: Listen, port: int) -> None:
    listen()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), timeout=5)
