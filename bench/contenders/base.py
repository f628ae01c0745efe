"""Programs of contenders: started with their output in a file, awaited, and ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.machine import ROOT
from tests.eventually import eventually
from tests.load import Connection

READY_SECONDS = 60
STOP_SECONDS = 30


@contextmanager
def process(
    words: Sequence[str], environment: Mapping[str, str], log: Path, *, stop: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program (`python -m …`) in a session of its own, with its output in a file; ended with the block."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(stop)
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()


def wait_for_http(url: str, path: str, program: subprocess.Popen[bytes], log: Path, *, status: int = 200) -> None:
    """Wait until a server answers this path with that status.

    Raises:
        RuntimeError: the program has ended, or does not answer in time; with the end of its log.
    """

    def answers() -> bool:
        assert program.poll() is None, log.read_text(errors="replace")[-3000:]
        connection = Connection(url)
        with suppress(OSError):
            return connection.request("GET", path, {}).status == status
        return False

    eventually(answers, f"{url}{path}", seconds=READY_SECONDS)
