"""Tests of who is ended as a leftover of an earlier run, and who is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from cli.leftovers import FOLDER_VARIABLE, MARK_VARIABLE, end_leftovers, find_leftovers

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


@contextmanager
def process(code: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has begun to run."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        yield running
        running.kill()


def test_what_up_started_for_the_folder_is_ended_even_if_it_ignores_sigterm(tmp_path: Path) -> None:
    with process(STUBBORN, {FOLDER_VARIABLE: str(tmp_path), MARK_VARIABLE: "1"}) as left:
        assert end_leftovers(tmp_path, patience=0.1) == 1
        assert not psutil.pid_exists(left.pid)


def test_other_folders_and_a_user_s_own_shell_are_left_alone(tmp_path: Path) -> None:
    other = {FOLDER_VARIABLE: str(tmp_path / "other"), MARK_VARIABLE: "1"}
    with process(STUBBORN, other), process(STUBBORN, {FOLDER_VARIABLE: str(tmp_path)}):
        assert find_leftovers(tmp_path) == []
