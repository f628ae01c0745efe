"""Samples of a run, their medians, spreads and ratios, and how they are kept and shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from bench.machine import Machine


@dataclass(frozen=True)
class Row:
    """A measure: one line of the report.

    Attributes:
        name: with its number of clients, where it has one.
        unit: of its values.
        more_is_better: whether a larger value is the better one.
        aims: contenders, and the ratio of the product to them that is to be reached: at least, or for what should be
            small, at most.
        subject: who is put beside them, where it is not the product.
    """

    name: str
    unit: str
    more_is_better: bool = True
    aims: tuple[tuple[str, float], ...] = ()
    subject: str = ""

    def aim(self, contender: str) -> float | None:
        """The ratio to reach beside this one."""
        return dict(self.aims).get(contender)


@dataclass(frozen=True)
class Summary:
    """One row of one contender over all rounds."""

    row: Row
    contender: str
    median: float
    lowest: float
    highest: float
    rounds: int

    @property
    def spread_percent(self) -> float:
        """Half the distance from the lowest to the highest, in percent of the median."""
        return (self.highest - self.lowest) / 2 / self.median * 100 if self.median else 0.0


@dataclass
class Results:
    """Everything that a run has measured so far.

    Attributes:
        samples: values by row and contender, one a round.
        processor_ms: of a life, by contender with clients, and by process; one a round.
        notes: sentences about what was measured, or went wrong on the way; each once.
    """

    machine: Machine
    rounds: int
    samples: dict[Row, dict[str, list[float]]] = field(default_factory=dict)
    processor_ms: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, row: Row, contender: str, value: float) -> None:
        """Keep one value."""
        self.samples.setdefault(row, {}).setdefault(contender, []).append(value)

    def note(self, sentence: str) -> None:
        """Keep a sentence, which a later round may repeat."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def add_processes(self, title: str, milliseconds: dict[str, float]) -> None:
        """Keep what each process spent on one life."""
        of_title = self.processor_ms.setdefault(title, {})
        for name, value in milliseconds.items():
            of_title.setdefault(name, []).append(value)

    def summaries(self, row: Row) -> list[Summary]:
        """One for each contender that the row has values of, in the order in which they were measured first."""
        return [
            Summary(row, contender, median(values), min(values), max(values), len(values))
            for contender, values in self.samples.get(row, {}).items()
        ]

    def ratio(self, row: Row, contender: str, against: str) -> float | None:
        """The median of the ratios within each round: what both had in common in a round takes no part in it."""
        values = self.samples.get(row, {})
        pairs = zip(values.get(contender, []), values.get(against, []), strict=False)
        ratios = [mine / theirs for mine, theirs in pairs if theirs]
        return median(ratios) if ratios else None

    def as_json(self) -> str:
        """All of it, for a file."""
        rows = [
            {**asdict(row), "contenders": {name: {"median": median(v), "values": v} for name, v in values.items()}}
            for row, values in self.samples.items()
        ]
        processes = {
            title: {name: median(values) for name, values in of_title.items()}
            for title, of_title in self.processor_ms.items()
        }
        content = {
            "machine": asdict(self.machine),
            "rounds": self.rounds,
            "rows": rows,
            "processor_ms": processes,
            "notes": self.notes,
        }
        return json.dumps(content, indent=2) + "\n"

    def save(self, path: Path) -> None:
        """Write the JSON file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.as_json())


def shown(value: float) -> str:
    """A figure with as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def process_names(results: Results) -> Sequence[str]:
    """The names of all processes, in the order in which they were measured first."""
    return list(dict.fromkeys(name for of_title in results.processor_ms.values() for name in of_title))
