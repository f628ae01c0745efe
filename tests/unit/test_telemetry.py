"""Tests of the table of metrics: names as Prometheus wants them, and labels that cannot grow."""

from __future__ import annotations

from prometheus_client import Metric

from config import telemetry

# Few values each, known beforehand.
LABELS = {
    "method", "route", "status", "code", "type", "machine", "from", "to", "process", "sqlstate_class", "work",
    "reason", "effect", "outcome", "queue", "chore", "invariant", "version", "python",
}  # fmt: skip


def families() -> list[Metric]:
    """Every metric of the table."""
    return list(telemetry.REGISTRY.collect())


def test_every_metric_bears_our_name_and_says_what_it_is() -> None:
    for family in families():
        assert family.name.startswith("tutelage_")
        assert family.documentation.endswith(".")


def test_durations_are_histograms_in_seconds() -> None:
    for family in families():
        assert (family.type == "histogram") == family.name.endswith(("_duration_seconds", "_delay_seconds"))
        assert not family.name.endswith(("_ms", "_milliseconds", "_minutes", "_kb"))


def test_labels_are_those_whose_values_are_few() -> None:
    described = vars(telemetry).values()
    names = {label for each in described for label in getattr(each, "_labelnames", ())}
    assert names == LABELS


def test_what_runs_is_told() -> None:
    telemetry.set_build_info()
    assert any(family.name == "tutelage_build_info" and family.samples for family in families())
