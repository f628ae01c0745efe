"""Run `tutelage up` as a user would, in a process of its own, for the tests of what it promises."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from cli.plan import PARTS, ROOT
from cli.run_file import Run, read_run
from cli.system import START_SECONDS, end_leftovers
from tests.eventually import eventually
from tests.log_secrets import remember_environment

SERVERS_ALONE = tuple(part.name for part in PARTS if part.group != "servers")
END_SECONDS = 90
# Of a system whose test is over, before it is killed.
STOP_SECONDS = 10


@dataclass(frozen=True)
class Up:
    """A `tutelage up` and what it has said so far."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    output: Path

    def said(self) -> str:
        """Everything on its standard output and error until now."""
        return self.output.read_text()

    def run(self) -> Run:
        # The command gives up when a part does not answer in time.
        eventually(self._is_ready, "the sentence that it is ready", seconds=START_SECONDS + 30)
        return eventually(lambda: read_run(self.data_dir), "run.json")

    def pid(self, name: str) -> int:
        pid: int = next(entry["pid"] for entry in self.run()["processes"] if entry["name"] == name)
        return pid

    def await_restart(self, name: str, killed: int) -> int:
        """Wait until a part that was killed runs again, and return its new process."""
        return eventually(lambda: found if (found := self.pid(name)) != killed else None, f"another {name}")

    def ends(self) -> int:
        return self.process.wait(timeout=END_SECONDS)

    def _is_ready(self) -> bool | None:
        if "Tutelage is ready." in self.said():
            return True
        assert self.process.poll() is None, self.said()
        return None


FLOWER_LOGIN = "operator:a password of Flower for the tests alone"


@contextmanager
def tutelage_up(
    data_dir: Path,
    *options: str,
    without: Sequence[str] = SERVERS_ALONE,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> Iterator[Up]:
    """Start it in a folder, on free ports unless the options say otherwise, and leave nothing behind."""
    output = data_dir.with_suffix(f".{time.monotonic_ns()}.out")
    left_out = [word for name in without for word in ("--without", name)]
    command = [sys.executable, "-P", "-m", "cli.main", "up", "--port", "0", "--flower-port", "0"]
    command += ["--data-dir", str(data_dir)]
    remember_environment(environment or {})
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*command, *left_out, *options],
            cwd=folder,
            # A developer's own .env must not choose the servers of a test.
            env={**os.environ, "DATABASE_URL": "", "REDIS_URL": "", "BROKER_URL": "", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield Up(process, data_dir, output)
    finally:
        refused = process.poll() == 1
        # Asked to, it ends all in a second; what a killed one leaves behind takes four.
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()
        # One that was refused because another runs must not end that other one's processes.
        if not refused:
            end_leftovers(data_dir, timeout_seconds=5)


@contextmanager
def make_up(folder: Path) -> Iterator[Up]:
    """What `make up` starts: every part, on free ports, with its data in that folder."""
    data_dir, output = folder / "data", folder / "out"
    own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    own["FLOWER_BASIC_AUTH"] = FLOWER_LOGIN
    # The environment is ready: this test runs in it. make is not to look whether it could be made again.
    command = ["make", "up", "--old-file=.venv/.ready", f"ARGS=--port 0 --flower-port 0 --data-dir {data_dir}"]
    with output.open("wb") as file:
        make = subprocess.Popen(command, cwd=ROOT, env=own, stdout=file, stderr=file, start_new_session=True)
    try:
        yield Up(make, data_dir, output)
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                make.wait(END_SECONDS)
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGKILL)
        end_leftovers(data_dir, timeout_seconds=5)


def await_end(processes: Sequence[psutil.Process]) -> None:
    _gone, alive = psutil.wait_procs(processes, timeout=END_SECONDS)
    assert not alive
