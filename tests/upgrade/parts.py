"""The parts of one system, each of one release, and replaced one by one while clients go on."""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from cli.embedded import ending_with_parent, free_port
from cli.forks import PRELOADED
from cli.plan import HOST
from cli.system import MODULES, tail
from tests.eventually import eventually
from tests.faults.proxy import Proxy, standing_before
from tests.processes import family, kill_all
from tests.upgrade.release import Release

# A worker finishes what it has begun.
STOP_SECONDS = 60
START_SECONDS = 120
# So many parts are replaced at one moment.
AT_ONCE = 3
HEALTH = {"api": "/health/ready", "streams": "/health/live"}
# The line with which each other part says that it has begun.
_BEGUN = re.compile(r'"event": ?"[^"]*(ready\.|\.started)"')
ERRORS = ("error", "critical")


class Forks:
    """Starts the parts of a release as forks of one process, since imports take a second of processor for each part."""

    def __init__(self, release: Release, settings: Mapping[str, str]) -> None:
        self.programs = release.programs()
        self._asking = threading.Lock()
        self._server = subprocess.Popen(
            ending_with_parent("KILL", [release.python, "-P", str(Path(__file__).with_name("forking.py")), *PRELOADED]),
            env=release.environment(settings),
            cwd=release.tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, log: Path, program: str, *words: str) -> int:
        """The id of a process that runs one of the release's programs."""
        return int(self._ask([str(log), MODULES[program], *words]))

    def code(self, pid: int) -> int | None:
        """The code with which a process has ended, asked for once; None as long as it runs."""
        found: int | None = self._ask(pid)
        return found

    def end(self) -> None:
        self._server.communicate()

    def _ask(self, question: list[str] | int) -> Any:
        assert self._server.stdin
        assert self._server.stdout
        with self._asking:
            self._server.stdin.write(f"{json.dumps(question)}\n")
            self._server.stdin.flush()
            return json.loads(self._server.stdout.readline())


@dataclass
class Running:
    """One process of a part, and what it writes."""

    part: str
    release: Release
    pid: int
    forks: Forks
    log: Path
    url: str
    code: int | None = None

    def has_ended(self) -> bool:
        if self.code is None:
            self.code = self.forks.code(self.pid)
        return self.code is not None

    def is_ready(self) -> bool:
        assert not self.has_ended(), f"{self.part} of {self.release.name} has ended:\n{tail(self.log)}"
        if self.part not in HEALTH:
            return _BEGUN.search(self.log.read_text()) is not None
        try:
            return urllib3.request("GET", self.url + HEALTH[self.part], retries=False, timeout=5).status == 200
        except urllib3.exceptions.HTTPError:
            return False


@dataclass
class Parts:
    """The parts that run now.

    Attributes:
        settings: variables of their environment.
        fronts: what stands before the API and before the streams: clients know these alone.
        running: the process of each part that is to run.
        started: all processes that were started.
        wrong: what went wrong with processes.
    """

    folder: Path
    settings: Mapping[str, str]
    fronts: Mapping[str, Proxy]
    threads: ThreadPoolExecutor
    running: dict[str, Running] = field(default_factory=dict)
    started: list[Running] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _forks: dict[Path, Forks] = field(default_factory=dict)

    def names(self, release: Release) -> list[str]:
        return list(self._forks_of(release).programs)

    def roll(self, release: Release, parts: Iterable[str]) -> None:
        """Replace these parts, in that order, by those of this release; a part that it does not have ends."""
        forks = self._forks_of(release)
        list(self.threads.map(lambda part: self._replace(part, release, forks), parts))

    def end(self) -> None:
        """End all parts, and look into their logs."""
        list(self.threads.map(self._stop, self.running.values()))
        self.running.clear()
        for each in self.started:
            self.wrong += [f"{each.log.name}: {line}" for line in _errors(each.log.read_text().splitlines())]

    def kill(self) -> None:
        for each in self.started:
            if not each.has_ended():
                self._kill(each)
        for forks in self._forks.values():
            forks.end()

    def _forks_of(self, release: Release) -> Forks:
        if release.tree not in self._forks:
            self._forks[release.tree] = Forks(release, self.settings)
        return self._forks[release.tree]

    def _replace(self, part: str, release: Release, forks: Forks) -> None:
        """Start one beside the other, lead new connections to it, and end the other."""
        before = self.running.get(part)
        if part in forks.programs:
            started = self.running[part] = self._start(part, release, forks)
            eventually(started.is_ready, f"{part} of {release.name}", seconds=START_SECONDS)
            if part in self.fronts:
                self.fronts[part].address = started.url
        else:
            self.running.pop(part, None)
        if before:
            self._stop(before)

    def _start(self, part: str, release: Release, forks: Forks) -> Running:
        port = free_port()
        log = self.folder / f"{part}-{port}.log"
        log.touch()
        place = {"host": HOST, "api_port": port, "streams_port": port}
        threads = dict.fromkeys(("worker_threads", "notification_threads", "webhook_threads"), 4)
        pid = forks.start(log, *(word.format_map(place | threads) for word in forks.programs[part]))
        running = Running(part, release, pid, forks, log, f"http://{HOST}:{port}")
        self.started.append(running)
        return running

    def _stop(self, running: Running) -> None:
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGTERM)
        try:
            eventually(running.has_ended, "its end", seconds=STOP_SECONDS)
        except AssertionError:
            self._kill(running)
        if running.code:
            self.wrong.append(f"{running.part} of {running.release.name} ended with code {running.code}.")

    def _kill(self, running: Running) -> None:
        kill_all(family(running.pid))
        eventually(running.has_ended, f"the end of {running.part}")


@contextmanager
def parts_in(folder: Path, settings: Mapping[str, str]) -> Iterator[Parts]:
    """No part at first; none is left at the end of the block."""
    folder.mkdir(parents=True)
    # No server yet: the address comes with the first one.
    with (
        standing_before(f"http://{HOST}:1") as api,
        standing_before(f"http://{HOST}:1") as streams,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        addresses = {"PUBLIC_URL": api.url, "STREAMS_URL": streams.url}
        parts = Parts(folder, {**settings, **addresses}, {"api": api, "streams": streams}, threads)
        try:
            yield parts
        finally:
            parts.kill()


def _errors(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            if line.startswith("Traceback"):
                yield line
        else:
            if isinstance(said, dict) and said.get("level") in ERRORS:
                yield line[:500]
