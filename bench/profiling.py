"""py-spy on every Python process of a contender while it is measured, and where each of them was most of the time."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.table import Table

SAMPLES_A_SECOND = 100
LINES_A_PROCESS = 15
NOT_PYTHON = ("postgres", "redis", "valkey")


@dataclass
class Profiler:
    """Recordings of processes, one file of collapsed stacks each (for flame graphs), kept in a folder.

    Only time in which a process held the GIL counts: waiting is not what makes a life expensive.
    """

    folder: Path
    _files: dict[str, Path] = field(default_factory=dict)

    @contextmanager
    def recording(self, title: str, pids: Mapping[str, int], seconds: float) -> Iterator[None]:
        """Record these processes and their children for so long, or until the `with` block ends if that is sooner.

        Raises:
            FileNotFoundError: py-spy is not installed.
        """
        program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
        if program is None:
            raise FileNotFoundError("py-spy is missing: make bench installs it.")
        self.folder.mkdir(parents=True, exist_ok=True)
        running = []
        for name, pid in _python_processes(pids):
            file = self.folder / f"{_slug(title)}-{name}.txt"
            command = [program, "record", "--pid", str(pid), "--gil", "--format", "raw", "--output", str(file)]
            options = ["--rate", str(SAMPLES_A_SECOND), "--duration", str(max(1, round(seconds))), "--nonblocking"]
            running.append(subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            self._files[f"{title}: {name}"] = file
        try:
            yield
        finally:
            for each in running:
                try:
                    each.wait(seconds + 20)
                except subprocess.TimeoutExpired:
                    each.kill()
                    each.wait()

    def tables(self) -> Iterator[Table]:
        """A table for each process: the functions that were running, or had called what was, most often."""
        for title, file in self._files.items():
            stacks = list(_stacks(file))
            total = sum(count for _frames, count in stacks)
            if total:
                yield _table(title, stacks, total)


def _table(title: str, stacks: list[tuple[list[str], int]], total: int) -> Table:
    own: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for frames, count in stacks:
        own[frames[-1]] += count
        for frame in set(frames):
            inclusive[frame] += count
    table = Table("function", "with callees", "itself", title=f"{title}: {total / SAMPLES_A_SECOND:.2f} s with the GIL")
    # What every sample holds is the way into the program.
    shown = [frame for frame, count in inclusive.most_common() if count < total * 0.95][:LINES_A_PROCESS]
    shown += [frame for frame, _count in own.most_common(5) if frame not in shown]
    for frame in shown:
        table.add_row(frame, f"{inclusive[frame] / total:.0%}", f"{own[frame] / total:.0%}")
    return table


def _stacks(file: Path) -> Iterator[tuple[list[str], int]]:
    if not file.exists():
        return
    for line in file.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        # By function: the line within it would tear one function into many.
        names = [re.sub(r":\d+\)$", ")", frame) for frame in frames.split(";") if frame]
        if names:
            yield names, int(count)


def _python_processes(pids: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Each process of these trees that is not PostgreSQL or Valkey; children are numbered."""
    for name, pid in pids.items():
        if name in NOT_PYTHON:
            continue
        yield name, pid
        for number, child in enumerate(psutil.Process(pid).children(recursive=True), start=1):
            yield f"{name}-{number}", child.pid


def _slug(title: str) -> str:
    return re.sub(r"\W+", "-", title).strip("-").lower()
