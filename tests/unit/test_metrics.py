"""Tests of METRICS_PORT and of metrics that processes share by a folder: added up, and kept when one is killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from cli.embedded import free_port
from cli.plan import ROOT
from config.metric_files import INITIAL_BYTES
from config.metrics import FOLDER_VARIABLE, exposition
from tests.scraping import Figures

PROGRAM = """
import sys
from config import telemetry
from config.metrics import start_metrics
from config.settings import settings
times, held = map(int, sys.argv[1:])
start_metrics(settings(), "api")
for _ in range(times):
    telemetry.HTTP_REQUESTS.labels("GET", "/me", "200").inc()
    telemetry.HTTP_DURATION.labels("GET", "/me").observe(0.02)
telemetry.CONNECTIONS_IN_USE.labels("api").set(held)
telemetry.QUEUE_LENGTH.labels("reviews").set(held)
print("ready", flush=True)
sys.stdin.read()
"""
# As on a full disk, no file may become larger, from the first figure or from some thousand on.
WITHOUT_ROOM = """
import resource, sys
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
before = int(sys.argv[1])
if not before:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
from config import metric_files, telemetry
metric_files.RETRY_SECONDS = 0.0
def count(first, last):
    for number in range(first, last):
        telemetry.HTTP_REQUESTS.labels("GET", f"/{number}/{'x' * 100}", "200").inc()
    telemetry.QUEUE_LENGTH.labels("reviews").set(last)
count(0, before)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
count(before, 4_000)
count(0, 4_000)
print("ready", flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
count(0, 1)
print("ready", flush=True)
sys.stdin.read()
"""
SHOW = "import sys; from config.metrics import exposition; sys.stdout.buffer.write(exposition())"
TOKEN = "a token of 32 bytes for the scraper"
Start = Callable[..., "subprocess.Popen[bytes]"]
Shown = Callable[[], Figures]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "metrics").mkdir()
    return tmp_path / "metrics"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(folder: Path, port: int) -> Iterator[Start]:
    """Starts a process that has counted so often and holds so many connections; ends it after the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def run(times: int = 1, held: int = 1, program: str = PROGRAM, **variables: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(times), str(held)],
            cwd=ROOT,
            env={**os.environ, FOLDER_VARIABLE: str(folder), "METRICS_PORT": str(port), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        begun.append(process)
        if program != SHOW:
            await_ready(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def await_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    while b"ready" not in (line := process.stdout.readline()):
        assert line, "it ended"


@pytest.fixture
def shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """The answer of another process of the folder, which is this one."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return lambda: Figures.of(exposition().decode())


def ask(port: int, **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", headers=headers, retries=False, timeout=10)


def test_counts_of_several_processes_are_added_up(start: Start, shown: Shown) -> None:
    start(3, held=2)
    start(4, held=5)
    figures = shown()
    assert figures.total("tutelage_http_requests_total", route="/me") == 7
    assert figures.total("tutelage_http_request_duration_seconds_count") == 7
    assert figures.total("tutelage_http_request_duration_seconds_bucket", le="0.025") == 7
    assert figures.total("tutelage_database_connections_in_use", process="api") == 7
    # A gauge about all has the value that a process set last, and is no sum.
    assert figures.total("tutelage_queue_length", queue="reviews") == 5
    assert figures.total("tutelage_build_info") == 1


def test_a_killed_process_keeps_counts_and_drops_gauges(start: Start, folder: Path, shown: Shown) -> None:
    killed, stays = start(3, held=2), start(4, held=5)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    figures = shown()
    assert figures.total("tutelage_http_requests_total", route="/me") == 7
    assert figures.total("tutelage_database_connections_in_use") == 5
    assert not list(folder.glob(f"gauge_*_{killed.pid}.db"))
    stays.kill()
    stays.wait()
    assert "tutelage_queue_length" not in shown().kinds


def test_a_file_without_a_first_page_is_skipped(start: Start, folder: Path, shown: Shown) -> None:
    start(3)
    for name in ("counter_1234567.db", "histogram_1234567.db", "gauge_livesum_1234567.db"):
        (folder / name).touch()
    assert shown().total("tutelage_http_requests_total") == 3


def test_metric_files_have_all_of_their_space(start: Start, folder: Path) -> None:
    start(3)
    found = [file.stat() for file in folder.glob("*.db")]
    assert len(found) >= 4
    assert all(each.st_blocks * 512 >= each.st_size >= INITIAL_BYTES for each in found)


@pytest.mark.parametrize("counted_before", [0, 1_000])
def test_metrics_without_room_stay_in_memory_until_there_is(start: Start, shown: Shown, counted_before: int) -> None:
    process = start(counted_before, program=WITHOUT_ROOM)
    # Some more have room in the file as it is.
    assert counted_before <= shown().total("tutelage_http_requests_total") <= 3 * counted_before
    assert process.stdin is not None
    process.stdin.write(b"there is room\n")
    process.stdin.flush()
    await_ready(process)
    figures = shown()
    assert figures.total("tutelage_http_requests_total") == 8_001
    assert figures.total("tutelage_queue_length", queue="reviews") == 1


def test_many_may_read_while_processes_come_and_go(start: Start) -> None:
    start(5)
    for _ in range(3):
        start(5).kill()
    readers = [start(program=SHOW) for _ in range(4)]
    answers = [reader.communicate()[0] for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * 4
    assert {Figures.of(answer.decode()).total("tutelage_http_requests_total") for answer in answers} == {20}


def test_processes_share_the_port_and_each_answers_for_all(start: Start, port: int) -> None:
    first, _second = start(), start()
    for _ in range(10):
        answer = ask(port)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert Figures.of(answer.data.decode()).total("tutelage_http_requests_total") == 2
    first.kill()
    first.wait()
    assert Figures.of(ask(port).data.decode()).total("tutelage_http_requests_total") == 2


def test_the_port_asks_for_the_token_and_listens_on_loopback(start: Start, port: int) -> None:
    start(METRICS_TOKEN=TOKEN)
    assert ask(port, Authorization=f"Bearer {TOKEN}").status == 200
    refused = [ask(port), ask(port, Authorization="Bearer something else")]
    assert [answer.status for answer in refused] == [401, 401]
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in refused)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), timeout=5)


def test_a_taken_port_stops_no_process(start: Start, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert start().poll() is None


def test_silent_clients_keep_no_scraper_waiting(start: Start, port: int) -> None:
    start()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    assert ask(port).status == 200
    for client in silent:
        client.close()
