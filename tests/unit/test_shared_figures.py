"""Tests of figures that processes share by a folder: added up, kept when one is killed, and whole at any moment."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.servers import ROOT
from config.ended_processes import MANY
from config.exposition import FOLDER_VARIABLE
from tests.scraping import Figures

COUNT = """
from config import telemetry
for _ in range({times}):
    telemetry.HTTP_REQUESTS.labels("GET", "/me", "200").inc()
    telemetry.HTTP_DURATION.labels("GET", "/me").observe(0.02)
telemetry.CONNECTIONS_IN_USE.labels("api").set({held})
telemetry.QUEUE_LENGTH.labels("reviews").set({held})
telemetry.tell_build()
"""
WAIT = """
import sys
print("ready", flush=True)
sys.stdin.read()
"""
SHOW = "import sys; from config.exposition import exposition; sys.stdout.buffer.write(exposition())"
Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the processes of a test write."""
    found = tmp_path / "metrics"
    found.mkdir()
    return found


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a process that runs a program on that folder, and ends it after the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def run(program: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, FOLDER_VARIABLE: str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def counting(start: Start, times: int, held: int) -> subprocess.Popen[bytes]:
    """A process that has counted so often, holds so many connections, and lives on."""
    process = start(COUNT.format(times=times, held=held) + WAIT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def shown(start: Start) -> Figures:
    """What another process of the folder would answer."""
    said, _ = start(SHOW).communicate()
    return Figures.of(said.decode())


def test_what_several_have_counted_is_added_up(start: Start) -> None:
    counting(start, 3, held=2)
    counting(start, 4, held=5)
    figures = shown(start)
    assert figures.total("tutelage_http_requests_total", route="/me") == 7
    assert figures.total("tutelage_http_request_duration_seconds_count") == 7
    assert figures.total("tutelage_http_request_duration_seconds_bucket", le="0.025") == 7
    assert figures.total("tutelage_database_connections_in_use", process="api") == 7
    # What is known about all is told by whoever looked last, not added up.
    assert figures.total("tutelage_queue_length", queue="reviews") == 5
    assert figures.total("tutelage_build_info") == 1


def test_who_is_killed_leaves_what_it_counted_and_takes_what_it_held(start: Start, folder: Path) -> None:
    killed, stays = counting(start, 3, held=2), counting(start, 4, held=5)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    figures = shown(start)
    assert figures.total("tutelage_http_requests_total", route="/me") == 7
    assert figures.total("tutelage_database_connections_in_use") == 5
    assert not list(folder.glob(f"gauge_*_{killed.pid}.db"))
    assert list(folder.glob(f"counter_{killed.pid}.db"))
    stays.kill()
    stays.wait()
    assert "tutelage_queue_length" not in shown(start).kinds


def test_a_file_without_a_first_page_yet_is_no_trouble(start: Start, folder: Path) -> None:
    counting(start, 3, held=2)
    for name in ("counter_1234567.db", "histogram_1234567.db", "gauge_livesum_1234567.db"):
        (folder / name).touch()
    assert shown(start).total("tutelage_http_requests_total") == 3
    assert not (folder / "gauge_livesum_1234567.db").exists()
    assert shown(start).total("tutelage_http_requests_total") == 3


def test_what_many_dead_have_counted_is_kept_in_one_file(start: Start, folder: Path) -> None:
    lives = counting(start, 4, held=1)
    whole = (folder / f"counter_{lives.pid}.db", folder / f"histogram_{lives.pid}.db")
    dead = range(4_200_000, 4_200_000 + MANY + 1)  # above the largest number that a process can have
    for pid in dead:
        for file in whole:
            shutil.copy(file, folder / f"{file.name.partition('_')[0]}_{pid}.db")
    for _ in range(3):
        figures = shown(start)
        assert figures.total("tutelage_http_requests_total", route="/me") == 4 * (MANY + 2)
        assert figures.total("tutelage_http_request_duration_seconds_count") == 4 * (MANY + 2)
        assert figures.total("tutelage_http_request_duration_seconds_sum") == pytest.approx(0.08 * (MANY + 2))
    assert len(list(folder.glob("counter_*.db"))) < 8
    # What comes later is added to it.
    for pid in dead:
        shutil.copy(whole[0], folder / f"counter_{pid}.db")
    assert shown(start).total("tutelage_http_requests_total", route="/me") == 4 * (2 * MANY + 3)


def test_while_somebody_reads_nothing_is_put_together(start: Start, folder: Path) -> None:
    lives = counting(start, 4, held=1)
    dead = [folder / f"counter_{pid}.db" for pid in range(4_200_000, 4_200_000 + MANY + 1)]
    for file in dead:
        shutil.copy(folder / f"counter_{lives.pid}.db", file)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert shown(start).total("tutelage_http_requests_total") == 4 * (MANY + 2)
        assert all(file.exists() for file in dead)
    assert shown(start).total("tutelage_http_requests_total") == 4 * (MANY + 2)
    assert not any(file.exists() for file in dead)


def test_many_may_look_while_many_come_and_go(start: Start) -> None:
    counting(start, 5, held=1)
    for _ in range(3):
        counting(start, 5, held=1).kill()
    readers = [start(SHOW) for _ in range(4)]
    answers = [reader.communicate()[0] for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * 4
    assert {Figures.of(answer.decode()).total("tutelage_http_requests_total") for answer in answers} == {20}


def test_a_folder_that_somebody_removed_is_empty_and_not_a_failure(start: Start, folder: Path) -> None:
    begin = "import shutil; from config.exposition import exposition; "
    said, _ = start(f"{begin}shutil.rmtree({str(folder)!r}); print(exposition())").communicate()
    assert said == b"b''\n"
