"""The rounds: which contender is started when, and what is measured on it while it runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import tutelage, usual
from bench.contenders.tutelage import running_tutelage
from bench.contenders.usual import running_usual
from bench.measures import Lives
from bench.profiling import Profiler
from bench.receiver import running_receiver
from bench.results import Results

PRODUCT = tutelage.NAME
CONTENDERS = (tutelage.NAME, usual.NAME)
MEASURES = ("life",)
CLIENTS = (1, 4, 16)


@dataclass
class Suite:
    """What is measured on whom, and how long.

    Args:
        results: where the figures go.
        measures: of MEASURES.
        contenders: of CONTENDERS.
        clients: how many at a time, one after the other.
        life_seconds: how long lives are begun for.
        profiler: looks into the processes while lives are measured.
        say: takes a line about what is done now.
    """

    results: Results
    measures: Sequence[str]
    contenders: Sequence[str]
    clients: Sequence[int]
    life_seconds: float
    profiler: Profiler | None
    say: Callable[[str], None]

    def run_round(self, number: int) -> None:
        """Measure everything once; every other round begins with the other contender."""
        sittings = {tutelage.NAME: self._tutelage, usual.NAME: self._usual}
        order = [name for name in sittings if name in self.contenders]
        for name in reversed(order) if number % 2 else order:
            self.say(f"Round {number + 1} of {self.results.rounds}: {name}")
            with _folder() as folder:
                sittings[name](folder)

    def _tutelage(self, folder: Path) -> None:
        with running_receiver() as receiver, running_tutelage(folder / "data") as contender:
            contender.add_offers()
            contender.add_endpoint(receiver.url)
            self._lives(Lives(contender, self.results, self.profiler))

    def _usual(self, folder: Path) -> None:
        with running_receiver() as receiver, running_usual(folder / "data", receiver.url) as contender:
            self._lives(Lives(contender, self.results, self.profiler))

    def _lives(self, lives: Lives) -> None:
        for clients in self.clients:
            lives.measure(clients, self.life_seconds)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that goes with the block; PostgreSQL runs as an ordinary user and must reach it."""
    with tempfile.TemporaryDirectory(prefix="tutelage-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
