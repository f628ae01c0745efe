"""Tests of the dashboard, the alerts and Prometheus's settings: they ask for what there is, and for all of it."""

import re
from typing import Any

import pytest
import yaml

from cli.plan import PARTS, ROOT
from config import telemetry
from tests.deploy.alert_cases import FAULTS, documents
from tests.deploy.rules import (
    alerts,
    dashboard,
    metrics_in,
    metrics_of_the_table,
    panels,
    prometheus,
    queries_of_panels,
)

SELECTOR = re.compile(r"(tutelage_\w+)\s*\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
ABSENT = re.compile(r"absent\(\w+\{([^}]*)\}")
# What tells the series of one target apart, where nothing is added up.
OF_TARGETS = {"instance", "mountpoint"}
# What Prometheus itself adds to each series.
ADDED = {"job", "instance", "le"}


def labels() -> set[str]:
    return {label for each in vars(telemetry).values() for label in getattr(each, "_labelnames", ())}


EXPRESSIONS = [*queries_of_panels(), *(rule["expr"] for rule in alerts())]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_metrics_and_labels_that_there_are(expression: str) -> None:
    assert metrics_in(expression) <= metrics_of_the_table()
    asked = {label.strip() for group in GROUPED.findall(expression) for label in group.split(",")}
    for _name, selector in SELECTOR.findall(expression):
        asked |= {label.strip() for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)}
    assert asked <= labels() | ADDED
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)


def test_the_dashboard_shows_every_metric() -> None:
    assert set().union(*map(metrics_in, queries_of_panels())) == metrics_of_the_table()


def test_every_query_of_the_dashboard_uses_the_chosen_job() -> None:
    for expression in queries_of_panels():
        assert expression.count('job=~"$job"') == len(re.findall(r"tutelage_\w+|\bup\b", expression)), expression


def test_the_dashboard_asks_which_data_source_is_meant() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for panel in panels():
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_means_and_where_to_look(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Tutelage\w+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    # The sentences name labels that the expression leaves.
    left = {label.strip() for group in GROUPED.findall(rule["expr"]) for label in group.split(",")} | OF_TARGETS
    left |= {label for absent in ABSENT.findall(rule["expr"]) for label in re.findall(r"(\w+)=", absent)}
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= left


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_of_single_events_sees_the_first(rule: dict[str, Any]) -> None:
    for metric in re.findall(r"increase\((tutelage_\w+)\{[^}]*\}\[\w+\]\)\) > 0", rule["expr"]):
        counter = next(each for each in vars(telemetry).values() if f"{getattr(each, '_name', '')}_total" == metric)
        # Without labels, there is a series from the start, with the value 0; others begin with their first event.
        assert not counter._labelnames or f"{metric}{{" in rule["expr"].partition(" unless ")[2], rule["alert"]


@pytest.mark.parametrize(
    "metric", ["tutelage_refusals_total", "tutelage_refused_transitions_total", "tutelage_stream_lag_seconds"]
)
def test_bursts_of_refusals_and_late_updates_are_alerts(metric: str) -> None:
    assert [rule["alert"] for rule in alerts() if metric in metrics_in(rule["expr"])]


def test_prometheus_looks_at_every_program_where_it_listens() -> None:
    job, *servers = prometheus()["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    programs = [part.name for part in PARTS if part.measured]
    assert (job["job_name"], found["names"]) == ("tutelage", programs)
    assert [each["job_name"] for each in servers] == ["postgresql", "valkey", "machine"]
    targets = [target for each in servers for static in each["static_configs"] for target in static["targets"]]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert {target.partition(":")[0] for target in targets} <= services.keys()


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    assert {name.split()[0] for name in FAULTS} == {rule["alert"] for rule in alerts()}
    quiet, *faults = (case for document in documents() for case in document["tests"])
    assert sorted(case["name"] for case in faults) == sorted(FAULTS)
    assert all(each["exp_samples"] == [] for each in quiet["promql_expr_test"])
    assert all(each["promql_expr_test"][0]["exp_samples"] for each in faults)


def test_a_missing_part_is_an_alert_for_each_part() -> None:
    (rule,) = (rule for rule in alerts() if rule["alert"] == "TutelagePartMissing")
    assert re.findall(r'absent\(tutelage_build_info\{job="tutelage",process="([^"]+)"\}\)', rule["expr"]) == [
        part.name for part in PARTS if part.measured
    ]
    assert rule["labels"]["severity"] == "critical"
