"""The figures of a live system: all that dashboards and alerts ask for, exact, and of every process of the machine."""

import re
from collections.abc import Iterable
from http import HTTPStatus

import psutil
import pytest
import urllib3
from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from api.refusals import REFUSALS
from api.schemas.component import ErrorKind, Variant
from cli.plan import PARTS
from models.bookings import BookingStatus
from models.sessions import SessionStatus
from tests.application import template_app
from tests.cli.running import Up
from tests.deploy.rules import alerts, metrics_in, metrics_of_the_table, queries_of_panels
from tests.eventually import eventually
from tests.participants import Participants, register
from tests.receivers import http_receiver
from tests.scraping import Figures
from tests.speaking import Caller
from workflows.events import QUEUES
from workflows.events.event_types import event_types
from workflows.events.subscriptions import load
from workflows.invariants import queries

COMPLETION = {"notes": "n", "rating": 5, "feedback": "f", "actionItems": []}
REQUESTS = "tutelage_http_requests_total"


@pytest.fixture
def cast(api: Caller) -> Participants:
    return register(api)


def scraped(api: Caller) -> Figures:
    answer = api("GET", "/metrics")
    assert answer.status == HTTPStatus.OK
    return Figures.of(answer.body.decode())


def play(cast: Participants) -> None:
    """One booking to its end, with a few steps that are refused."""
    booking = cast.request()
    answer = cast.mentor("PATCH", f"/bookings/{booking}/accept", Prefer="wait=10")
    session = answer.body["session"]["id"] if answer.status == 201 else answer.body["sessionId"]
    eventually(lambda: cast.mentee("GET", f"/sessions/{session}").status == 200, "the session")
    assert cast.mentor("PATCH", f"/bookings/{booking}/accept").status == 400
    assert cast.mentee("GET", "/bookings/nowhere").status == 404
    cast.mentee.post(f"/sessions/{session}/start")
    cast.mentor.patch(f"/sessions/{session}/complete", COMPLETION)


def test_beacons_of_all_processes_are_counted_together(up: Up, api: Caller) -> None:
    address, before = f"{up.run()['api']['url']}/component/telemetry", scraped(api)
    beacon = '{"variant":"basic","firstSlotSeconds":0.6,"errors":{"network":1}}'
    # A connection each, so that every process takes some.
    for _ in range(8):
        sent = urllib3.request("POST", address, body=beacon, headers={"Content-Type": "text/plain"}, retries=False)
        assert sent.status == 204
    grown = scraped(api).since(before)
    assert grown.total("tutelage_component_visits_total", variant="basic") == 8
    assert grown.total("tutelage_component_first_slot_seconds_bucket", variant="basic", le="0.75") == 8
    assert grown.total("tutelage_component_errors_total", variant="basic", kind="network") == 8


def test_all_that_dashboards_and_alerts_ask_for_is_there(api: Caller, cast: Participants) -> None:
    play(cast)
    asked = set().union(*map(metrics_in, [*queries_of_panels(), *(rule["expr"] for rule in alerts())]))
    assert asked == metrics_of_the_table()
    eventually(lambda: asked <= set(scraped(api).kinds), "every metric")


def test_every_process_of_the_machine_is_in_the_answer(up: Up, api: Caller, cast: Participants) -> None:
    programs = {part.name for part in PARTS if part.measured}

    def all_told() -> bool:
        statements = scraped(api).all("tutelage_database_statement_duration_seconds_count")
        return {dict(labels)["process"] for labels, count in statements.items() if count} == programs

    # Where no endpoint listens, the worker of webhooks has nothing to ask the database.
    with http_receiver() as partner:
        cast.mentor.post("/webhook-endpoints", {"url": partner.url, "eventTypes": ["*"]})
        play(cast)
        eventually(all_told, "statements of every process")
    assert "METRICS_PORT" not in psutil.Process(up.pid("api")).environ()


def test_requests_of_two_api_processes_are_counted_exactly(up: Up, api: Caller) -> None:
    def answered_by(pid: int) -> float:
        files = [str((up.data_dir / "metrics") / f"counter_{pid}.db")]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)
        found = [sample for metric in merged for sample in metric.samples]
        return sum(each.value for each in found if each.name == REQUESTS and each.labels["route"] == "/health/live")

    workers = up.run()["api"]["pids"][1:]
    assert len(workers) == 2
    before, sent = scraped(api), 0

    def both_answered() -> bool:
        nonlocal sent
        for _ in range(20):
            # Each over a connection of its own, which either of them may accept.
            assert urllib3.request("GET", f"{api.base}/health/live", headers={"Connection": "close"}).status == 200
            sent += 1
        return all(answered_by(pid) for pid in workers)

    eventually(both_answered, "an answer of each process")
    grown = scraped(api).since(before)
    assert grown.total(REQUESTS, route="/health/live", status="200") == sent
    assert grown.total("tutelage_http_request_duration_seconds_count", route="/health/live") == sent


def test_any_api_process_shows_the_counts_of_workers(api: Caller, cast: Participants) -> None:
    before = scraped(api)
    for _ in range(5):
        play(cast)

    def grown(name: str, **labels: str) -> float:
        return scraped(api).since(before).total(name, **labels)

    attempts = "tutelage_delivery_duration_seconds_count"
    eventually(lambda: grown(attempts, effect="reviews.unlock", outcome="done") == 5, "five permits")
    assert grown("tutelage_sessions_created_total") == 5
    assert grown("tutelage_transitions_total", machine="session", to="completed") == 5
    assert grown("tutelage_transitions_total", machine="booking", to="accepted") == 5
    assert grown("tutelage_refused_transitions_total", machine="booking", to="accepted") == 5
    assert grown(attempts, effect="sessions.create", outcome="done") == 5
    assert grown("tutelage_delivery_delay_seconds_count", effect="sessions.create") == 5
    eventually(lambda: grown(attempts, effect="mail.send", outcome="done") >= 15, "the mails")


def test_every_label_has_few_known_values(api: Caller, cast: Participants) -> None:
    for _ in range(3):
        play(cast)
        for path in ("/nowhere/1", "/users/7", f"/sessions/{cast.mentor_user_id}"):
            cast.mentee("GET", path)
        cast.mentee("BREW", "/me")
    figures = scraped(api)
    for label, known in known_values().items():
        assert figures.values(label) <= known, label
    free = {label for _name, labels in figures.samples for label, _value in labels} - set(known_values())
    assert free == {"le", "status", "sqlstate_class", "chore", "version", "python"}
    assert all(re.fullmatch(r"[a-z ]+", value) for value in figures.values("chore"))
    assert all(re.fullmatch(r"[1-5]\d\d", value) for value in figures.values("status"))
    assert all(re.fullmatch(r"[0-9A-Z]{2}|none", value) for value in figures.values("sqlstate_class"))
    assert len(figures.samples) < 6_000


def known_values() -> dict[str, set[str]]:
    """What each label may hold."""
    states = {str(state) for state in (*BookingStatus, *SessionStatus)} | {"none"}
    return {
        "route": {rule.rule for rule in template_app().url_map.iter_rules()} | {"none"},
        "method": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"},
        "code": set(REFUSALS),
        "type": set(event_types()),
        "machine": {"booking", "session"},
        "from": states,
        "to": states,
        "process": {part.name for part in PARTS},
        "work": {"request", "delivery"},
        "reason": {"lost_race", "lost_connection", "stale"},
        "effect": {effect.name for effect in load().all()},
        "queue": set(QUEUES),
        "outcome": {
            *("done", "retry", "postponed", "cancelled", "dead", "settled_late"),
            *("published", "dropped", "ok", "trouble"),
        },
        "invariant": set(queries()),
        "variant": set(Variant),
        "kind": set(ErrorKind),
        "state": {"connected", "disconnected"},
    }


def test_metric_files_are_private(up: Up) -> None:
    folder = up.data_dir / "metrics"
    assert folder.stat().st_mode & 0o077 == 0
    living = {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_*.db")}
    assert all(psutil.pid_exists(pid) for pid in living)
