"""Tests of the page about metrics: its table is the table of metrics, with every label and every value it names."""

from __future__ import annotations

from config import telemetry
from tests.docs.pages import DOCS, table

ROWS = table(DOCS / "metrics.md", "metric", "labels", "what it counts or measures")


def test_the_table_has_every_metric_with_its_labels_in_the_order_of_the_code() -> None:
    of_the_code = []
    for each in vars(telemetry).values():
        if hasattr(each, "_labelnames"):
            (family,) = each.collect()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            of_the_code.append((name, ", ".join(each._labelnames)))
    assert [(name, labels) for name, labels, _meaning in ROWS] == of_the_code


def test_every_metric_is_explained() -> None:
    assert all(meaning for _name, _labels, meaning in ROWS)
