"""The files in deploy/, read; and the metrics that expressions of PromQL speak of."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from cli.plan import ROOT
from config import telemetry

DEPLOY = ROOT / "deploy"
_NAME = re.compile(r"\btutelage_\w+")
_PARTS = re.compile(r"_(bucket|sum|count)$")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "tutelage.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries_of_panels() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def alerts() -> list[dict[str, Any]]:
    files = [yaml.safe_load((DEPLOY / "prometheus" / name).read_text()) for name in prometheus()["rule_files"]]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def prometheus() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    return found


def metrics_in(expression: str) -> set[str]:
    """Which of our metrics an expression asks for, by the names of docs/metrics.md."""
    histograms = {family.name for family in telemetry.REGISTRY.collect() if family.type == "histogram"}
    named = set()
    for name in _NAME.findall(expression):
        whole = _PARTS.sub("", name)
        named.add(whole if whole in histograms else name)
    return named


def metrics_of_the_table() -> set[str]:
    """Every metric that there is, by its name on the wire."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name for family in telemetry.REGISTRY.collect()
    }
