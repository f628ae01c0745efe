"""Read what is exposed for Prometheus, and compare it before and after something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from config.telemetry import REGISTRY

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Figures:
    """Every sample of one scrape, by its name and labels; and each metric's kind by its name."""

    samples: Mapping[tuple[str, Labels], float]
    kinds: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Figures:
        return cls._in(text_string_to_metric_families(text))

    @classmethod
    def here(cls) -> Figures:
        """The counts of this process, without the text, which takes eight times as long."""
        return cls._in(REGISTRY.collect())

    @classmethod
    def _in(cls, families: Iterable[Metric]) -> Figures:
        samples, kinds = {}, {}
        for family in families:
            # The parser takes the ending of counters away.
            kinds[f"{family.name}_total" if family.type == "counter" else family.name] = family.type
            for sample in family.samples:
                samples[sample.name, frozenset(sample.labels.items())] = sample.value
        return cls(samples, kinds)

    def all(self, name: str, **labels: str) -> dict[Labels, float]:
        """The samples of that name with at least these labels."""
        asked = frozenset(labels.items())
        return {found: value for (each, found), value in self.samples.items() if each == name and asked <= found}

    def total(self, name: str, **labels: str) -> float:
        return sum(self.all(name, **labels).values())

    def since(self, before: Figures) -> Figures:
        return Figures({key: value - before.samples.get(key, 0) for key, value in self.samples.items()}, self.kinds)

    def values(self, label: str) -> set[str]:
        return {value for _name, labels in self.samples for key, value in labels if key == label}
