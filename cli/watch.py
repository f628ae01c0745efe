"""Watch the parts of a running system: keep run.json true, and say what ended and was started again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cli.plan import Plan
from cli.run_file import Run, write_run
from cli.supervise import SILENCE, Supervisor

POLL_SECONDS = 0.5


@dataclass
class Watch:
    """A thread that asks supervisord twice a second and tells files and people what changed."""

    data_dir: Path
    plan: Plan
    supervisor: Supervisor
    say: Callable[[str], None]
    _pids: dict[str, int] = field(default_factory=dict)
    _written: Run = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Write run.json for the first time and go on watching in a thread."""
        self._look()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop watching; run.json is not written any more after this."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def wait(self) -> None:
        """Wait until somebody calls end, or until supervisord dies.

        Raises:
            ServerError: when supervisord died.
        """
        while not self._stop.wait(POLL_SECONDS):
            self.supervisor.check_alive()

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self._look()
            except SILENCE:
                # supervisord is busy or gone; `wait` tells which.
                continue

    def _look(self) -> None:
        infos = self.supervisor.infos()
        for part in self.plan.parts:
            info = infos[part.name]
            if info["statename"] == "FATAL":
                self.say(f"{part.name} has ended again and again; see {self.supervisor.log(part.name)}. Trying on.")
                self.supervisor.start(part)
            self._notice(part.name, info["pid"])
        run = describe(self.plan, self._pids)
        if run != self._written:
            write_run(self.data_dir, run)
            self._written = run

    def _notice(self, name: str, pid: int) -> None:
        """Remember the pid of a part that runs; one that is down keeps its last until it runs again."""
        known = self._pids.get(name)
        if pid and known not in (None, pid):
            self.say(f"{name} ended and was started again, as process {pid}.")
        if pid:
            self._pids[name] = pid


def describe(plan: Plan, pids: dict[str, int]) -> Run:
    """What run.json says: see "Run it" in docs/architecture.md."""
    return {
        "api": {"url": plan.api_url if plan.has("api") else None, "pids": _family(pids.get("api"))},
        "flower": {"url": plan.flower_url if plan.has("flower") else None},
        "database_url": plan.database_url,
        "redis_url": plan.redis_url,
        "processes": [{"name": part.name, "pid": pids[part.name]} for part in plan.parts if part.name in pids],
    }


def _family(pid: int | None) -> list[int]:
    """A process and its children, itself first."""
    if pid is None:
        return []
    try:
        return [pid, *sorted(child.pid for child in psutil.Process(pid).children())]
    except psutil.NoSuchProcess:
        return [pid]
