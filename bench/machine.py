"""Processor time and memory of process trees, and what machine and commit a run was measured on."""

import os
import platform
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
MEBIBYTE = 1024 * 1024


def processor_seconds(pid: int, others: Collection[int] = ()) -> float:
    """Processor seconds of a process and its descendants, those included that have ended and were waited for.

    Args:
        others: roots of trees within this one that do not count.
    """
    total = 0.0
    for process in _tree(pid, others):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mebibytes(pid: int, others: Collection[int] = ()) -> tuple[float, float]:
    """Memory of a process and its descendants in MiB: all of it, shared pages in parts; and the largest one's resident.

    Args:
        others: roots of trees within this one that do not count.
    """
    proportional = largest = 0
    for process in _tree(pid, others):
        try:
            memory = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        proportional += memory.pss
        largest = max(largest, memory.rss)
    return proportional / MEBIBYTE, largest / MEBIBYTE


def _tree(pid: int, others: Collection[int] = ()) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        children = [child for child in root.children() if child.pid not in others]
    except psutil.NoSuchProcess:
        return []
    return [root, *(process for child in children for process in _tree(child.pid, others))]


@dataclass
class Spent:
    """Processor seconds by the name of a process tree, filled in when the measured block ends."""

    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Of all trees together."""
        return sum(self.seconds.values())


@contextmanager
def spending(pids: Mapping[str, int]) -> Iterator[Spent]:
    """Measure what these process trees spend within a `with` block.

    Args:
        pids: the root of each tree by its name; a tree within another counts for itself.
    """
    roots = set(pids.values())
    before = {name: processor_seconds(pid, roots) for name, pid in pids.items()}
    spent = Spent()
    yield spent
    spent.seconds = {name: processor_seconds(pid, roots) - before[name] for name, pid in pids.items()}


@dataclass(frozen=True)
class Machine:
    """Where and when a run was made, and of which state of the repository."""

    at: str
    commit: str
    changed: bool
    processor: str
    cores: int
    memory_gib: float
    load_before: float
    python: str
    system: str


def describe() -> Machine:
    """This machine at this moment."""
    return Machine(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_git("rev-parse", "--short", "HEAD"),
        changed=bool(_git("status", "--porcelain", "--untracked-files=no")),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / MEBIBYTE / 1024, 1),
        load_before=round(os.getloadavg()[0], 2),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
    )


def lines_of_code() -> dict[str, int]:
    """Lines of the product's Python and SQL, by part."""
    parts = {
        "workers/ and workflows/events/": ["workers", "workflows/events"],
        "api/": ["api"],
        "workflows/": ["workflows"],
        "all of the product": ["api", "cli", "config", "infrastructure", "models", "workers", "workflows"],
    }
    return {name: sum(_lines(ROOT / folder) for folder in folders) for name, folders in parts.items()}


def _lines(folder: Path) -> int:
    files = (file for suffix in ("py", "sql") for file in folder.rglob(f"*.{suffix}"))
    return sum(len(file.read_text().splitlines()) for file in files)


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
