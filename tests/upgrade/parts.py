"""The parts of one system, each of one release, and replaced one by one while clients go on."""

import json
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from cli.embedded import ending_with_parent, free_port
from cli.plan import HOST
from cli.system import tail
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


@dataclass(frozen=True)
class Running:
    """One process of a part, and what it writes."""

    part: str
    release: Release
    process: subprocess.Popen[bytes]
    log: Path
    url: str

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"{self.part} of {self.release.name} has ended:\n{tail(self.log)}"
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
    _commands: dict[Path, dict[str, list[str]]] = field(default_factory=dict)

    def names(self, release: Release) -> list[str]:
        return list(self._programs(release))

    def roll(self, release: Release, parts: Iterable[str]) -> None:
        """Replace these parts, in that order, by those of this release; a part that it does not have ends."""
        list(self.threads.map(lambda part: self._replace(part, release), parts))

    def end(self) -> None:
        """End all parts, and look into their logs."""
        list(self.threads.map(self._stop, self.running.values()))
        self.running.clear()
        for each in self.started:
            self.wrong += [f"{each.log.name}: {line}" for line in _errors(each.log.read_text().splitlines())]

    def kill(self) -> None:
        for each in self.started:
            if each.process.poll() is None:
                kill_all(family(each.process.pid))
                each.process.wait()

    def _programs(self, release: Release) -> dict[str, list[str]]:
        if release.tree not in self._commands:
            self._commands[release.tree] = release.programs()
        return self._commands[release.tree]

    def _replace(self, part: str, release: Release) -> None:
        """Start one beside the other, lead new connections to it, and end the other."""
        before = self.running.get(part)
        if part in self._programs(release):
            started = self.running[part] = self._start(part, release)
            eventually(started.is_ready, f"{part} of {release.name}", seconds=START_SECONDS)
            if part in self.fronts:
                self.fronts[part].address = started.url
        else:
            self.running.pop(part, None)
        if before:
            self._stop(before)

    def _start(self, part: str, release: Release) -> Running:
        port = free_port()
        log = self.folder / f"{part}-{port}.log"
        place = {"host": HOST, "api_port": port, "streams_port": port}
        threads = dict.fromkeys(("worker_threads", "notification_threads", "webhook_threads"), 4)
        program, *words = (word.format_map(place | threads) for word in self._programs(release)[part])
        with log.open("wb") as output:
            process = subprocess.Popen(
                ending_with_parent("KILL", release.argv(program, *words)),
                env=release.environment(self.settings),
                cwd=release.tree,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        running = Running(part, release, process, log, f"http://{HOST}:{port}")
        self.started.append(running)
        return running

    def _stop(self, running: Running) -> None:
        running.process.send_signal(signal.SIGTERM)
        try:
            code = running.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill_all(family(running.process.pid))
            code = running.process.wait()
        if code:
            self.wrong.append(f"{running.part} of {running.release.name} ended with code {code}.")


@contextmanager
def parts_in(folder: Path, settings: Mapping[str, str]) -> Iterator[Parts]:
    """No part at first; none is left at the end of the block."""
    folder.mkdir(parents=True)
    # No server yet: the address comes with the first one.
    with (
        standing_before(f"http://{HOST}:1") as api,
        standing_before(f"http://{HOST}:1") as streams,
        # Its threads live to the end: the kernel takes the end of the one that started a process for a parent's death.
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
