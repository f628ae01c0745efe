"""Tests of `tutelage demo`: it shows every step, fails in sentences, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cli.demonstration.component import missing_to_drive
from cli.demonstration.run import STEP_INDENT
from cli.plan import ROOT
from cli.run_file import read_run
from cli.system import end_leftovers, find_leftovers
from tests import servers
from tests.eventually import eventually

LONGEST_SECONDS = 120
# What the first steps, up to the first webhook, have no need of.
LATER = (
    *("worker-sessions", "worker-reviews", "worker-notifications", "worker-analytics"),
    *("streams", "sweep", "maintain", "flower"),
)

# What a run has to show, in this order: who did it, and what.
STEPS = (
    ("tutelage", "ready: postgres, redis, api, worker-sessions"),
    ("receiver", "the webhook webhook.ping, its signature verified"),
    ("worker-webhooks", "the endpoint is active"),
    ("api", "the mentee asks for an hour: a draft"),
    ("api", "the mentor accepts: 202"),
    ("worker-sessions", "the session exists, scheduled"),
    ("api", "a double click, the same decision again: 400 invalid_transition"),
    ("api", "the mentor accepts that as well: 409 slot_taken"),
    ("api", "the mentor accepts with Prefer: wait=10: 201, the session is scheduled"),
    ("api", "the mentee starts the session: in_progress"),
    ("api", "the mentor completes it, with notes: completed"),
    ("api", "all effects are done"),
    ("postgres", "the review is unlocked, by one permit"),
    ("postgres", "the completed session is measured: 60 minutes booked"),
    ("smtp sink", "10 mails received"),
    ("receiver", "11 webhooks received"),
    ("api", "a mentee buys a bundle of two sessions"),
    ("api", "and books an hour with it, of a mentor who is chosen: one session is left"),
    ("api", "cancelled in time, the session comes back: purchase, spend, give_back"),
    ("api", "two mentees join: the group is full"),
    ("api", "a third one: 409 group_full"),
    ("smtp sink", "a mail to the one who waits"),
    ("api", "the freed seat is taken from the waiting list: full again"),
    ("api", "the booking component is served"),
    ("api", "every invariant holds"),
    ("flower", "Flower is served"),
)


@pytest.fixture
def few(database_url: str, redis_url: str) -> dict[str, str]:
    """Settings with which a demo starts no servers and one process of the API."""
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url.rpartition("/")[0] + "/11", "API_WORKERS": "1"}


@contextmanager
def running_demo(
    data_dir: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`tutelage demo` in a process of its own; its output goes to a file beside the data folder."""
    command = [sys.executable, "-m", "cli.main", "demo", "--data-dir", str(data_dir), *options]
    with said_in(data_dir).open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        end_leftovers(data_dir, timeout_seconds=5)


def without(*parts: str) -> list[str]:
    return [f"--without={part}" for part in parts]


def said_in(data_dir: Path) -> Path:
    return data_dir.with_suffix(".out")


def is_over(demo: subprocess.Popen[bytes], data_dir: Path) -> bool:
    """Whether a demo that keeps its system running has come to its end, or has failed."""
    return "Press Ctrl-C to stop." in said_in(data_dir).read_text() or demo.poll() is not None


def assert_whole(said: str) -> None:
    """Every step is printed, in its order, as plain text."""
    # A path that is longer than a line stays whole, for copying.
    assert [line for line in said.splitlines() if len(line) > 80 and " " in line.strip()] == []
    # A step whose words take several lines as one.
    said = re.sub(rf"\n {{{STEP_INDENT}}}(?=\S)", " ", said)
    lines = iter(said.splitlines())
    for who, what in STEPS:
        step = re.compile(rf" ok +([\d,]+ ms)? +{re.escape(who)} +{re.escape(what)}")
        assert any(step.match(line) for line in lines), f"{who}: {what}\n\n{said}"
    assert re.search(r"worker-reviews +reviews\.unlock is done, after session\.completed", said)
    assert re.search(r"API docs +http://127\.0\.0\.1:\d+/api/docs", said)
    assert "Every step came out as promised" in said
    assert "\x1b" not in said


@pytest.mark.timeout(300)
def test_it_shows_every_step_and_stays_until_sigterm(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    # That a first start makes and migrates the cluster is seen where `make up` starts everything.
    servers.prepare_data_folder(data_dir)
    with running_demo(data_dir, "--keep") as demo:
        eventually(lambda: is_over(demo, data_dir), "the end of the demo", seconds=LONGEST_SECONDS)
        assert demo.poll() is None, said_in(data_dir).read_text()
        assert read_run(data_dir) is not None
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(timeout=LONGEST_SECONDS) == 0
        assert find_leftovers(data_dir) == []
    assert_whole(said_in(data_dir).read_text())


def test_it_fails_in_sentences_when_an_effect_does_not_happen(tmp_path: Path, few: dict[str, str]) -> None:
    data_dir = tmp_path / "data"
    left_out = without("worker-reviews", "worker-analytics", "streams", "sweep", "maintain", "flower")
    with running_demo(data_dir, *left_out, "--timeout", "3", environment=few) as demo:
        code = demo.wait(timeout=LONGEST_SECONDS)
        assert find_leftovers(data_dir) == []
        assert read_run(data_dir) is None
    said = " ".join(said_in(data_dir).read_text().split())
    assert code == 1, said
    failed = "Error: analytics.session_completed (after session.completed) did not happen within 3 seconds"
    assert f"{failed}: it is pending" in said
    assert "worker-analytics does not run here: it was left out." in said
    assert "Traceback" not in said


def test_a_failure_shows_the_log_of_its_part(tmp_path: Path, few: dict[str, str]) -> None:
    data_dir = tmp_path / "data"
    options = [*without(*LATER[:2], *LATER[3:]), "--timeout", "3"]
    with psycopg.connect(few["DATABASE_URL"]) as db, running_demo(data_dir, *options, environment=few) as demo:
        # The demo registers nobody, and so sends nothing, before the worker has stopped.
        db.execute("SET idle_in_transaction_session_timeout = 0")
        db.execute("LOCK TABLE users IN SHARE MODE")
        run = eventually(lambda: read_run(data_dir), "run.json")
        stopped = next(entry["pid"] for entry in run["processes"] if entry["name"] == "worker-webhooks")
        os.kill(stopped, signal.SIGSTOP)
        db.rollback()
        try:
            eventually(lambda: "Error:" in said_in(data_dir).read_text() or None, "the failure")
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert demo.wait(timeout=LONGEST_SECONDS) == 1
    said = " ".join(said_in(data_dir).read_text().split())
    assert "did not happen within 3 seconds" in said
    assert f"The end of {data_dir / 'logs' / 'worker-webhooks.log'}:" in said


def test_interrupted_in_the_middle_it_ends_cleanly(tmp_path: Path, few: dict[str, str]) -> None:
    data_dir = tmp_path / "data"
    with running_demo(data_dir, *without(*LATER, "worker-webhooks"), environment=few) as demo:
        eventually(lambda: "is made, and is pending" in said_in(data_dir).read_text() or None, "the first steps")
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=LONGEST_SECONDS) == 130
        assert find_leftovers(data_dir) == []
    said = said_in(data_dir).read_text()
    assert said.rstrip().endswith("Stopped.")
    assert "Traceback" not in said


def test_the_part_that_is_missing_to_drive_a_browser_is_named() -> None:
    assert missing_to_drive("/usr/bin/chromium", has_driver=True) is None
    assert "Playwright" not in str(missing_to_drive(None, has_driver=True))
    assert "there is a Chromium" in str(missing_to_drive("/usr/bin/chromium", has_driver=False))
    both = str(missing_to_drive(None, has_driver=False))
    assert "no Chromium" in both
    assert "Playwright" in both
