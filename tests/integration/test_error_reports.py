"""Errors reported to Sentry, read where they arrive: what they must name, and nothing that people wrote."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from sqlalchemy import Connection, Engine

from config.error_reports import ErrorReporter
from config.settings import Settings
from tests.application import World, as_operator, as_user, settings_for
from tests.architecture.source import ROOT
from tests.factories import make_user
from tests.integration.test_database_effects import WithEffect, with_effect  # noqa: F401 - a fixture
from tests.sentry import Sentry, sentry_server
from workflows.events.event_types import SessionCompleted

MARK = "Mark-of-Ada"
ADDRESS = "ada.marked@people.example.org"
REPORTED = {"event_id", "timestamp", "platform", "level", "release", "environment", "server_name", "sdk"} | {
    *("exception", "tags", "transaction", "logger"),
}


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    with sentry_server() as server:
        yield server


@pytest.fixture
def settings(sentry: Sentry, engine: Engine) -> Settings:
    address = engine.url.render_as_string(hide_password=False)
    return settings_for(address, sentry_dsn=sentry.dsn, sentry_release="tutelage@test")


@pytest.fixture
def reporter(settings: Settings) -> Iterator[ErrorReporter]:
    """The error reports of a worker of the queue `reviews`, which sees every line of this process."""
    reporter = ErrorReporter(settings, "worker-reviews")
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, reporter, *before])
    yield reporter
    reporter.close()
    structlog.configure(processors=before)


def only(sentry: Sentry, reporter: ErrorReporter) -> dict[str, Any]:
    """The only report, once all are sent; with no mark in anything that was sent."""
    reporter.close()
    (report,) = sentry.reports()
    assert MARK not in sentry.text()
    assert ADDRESS not in sentry.text()
    return report


def test_a_failed_effect_is_reported_by_its_ids(
    with_effect: WithEffect,  # noqa: F811
    sentry: Sentry,
    reporter: ErrorReporter,
) -> None:
    def fail(_db: Connection, event: SessionCompleted, *, now: datetime) -> None:
        name = f"{MARK} {now} {event}"
        try:
            raise KeyError(name)
        except KeyError as error:
            raise ValueError(f"{name} of {ADDRESS}") from error

    harness, key = with_effect(fail)
    harness.deliverer.deliver(key)
    report = only(sentry, reporter)
    assert set(report) == REPORTED | {"user"}
    assert (report["release"], report["environment"]) == ("tutelage@test", "development")
    assert [each["type"] for each in report["exception"]["values"]] == ["KeyError", "ValueError"]
    assert report["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "fail"
    tags = report["tags"]
    assert (tags["process"], tags["effect"], tags["event_id"]) == ("worker-reviews", "tried", str(key.event_id))
    assert (tags["event_type"], tags["attempt"]) == ("session.completed", "1")
    assert report["transaction"] == "tried"


def test_a_database_error_is_reported_by_its_code(
    with_effect: WithEffect,  # noqa: F811
    sentry: Sentry,
    reporter: ErrorReporter,
) -> None:
    def fail(db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        assert now
        make_user(db, email=ADDRESS, name=MARK)
        make_user(db, email=ADDRESS, name=MARK)

    harness, key = with_effect(fail)
    harness.deliverer.deliver(key)
    assert only(sentry, reporter)["tags"]["sqlstate"] == "23505"


def failing_world(engine: Engine, path: str) -> World:
    """The application, whose views at that path do their work and then have a defect."""
    world = World.on(engine)
    for endpoint in {rule.endpoint for rule in world.app.url_map.iter_rules() if rule.rule == path}:
        world.app.view_functions[endpoint] = _failing(world.app.view_functions[endpoint])
    return world


def _failing(view: Callable[..., object]) -> Callable[..., NoReturn]:
    def fail(**of_path: object) -> NoReturn:
        local = f"{view(**of_path)} {MARK} {ADDRESS}"
        raise ValueError(local)

    return fail


SENT = {
    "X-Request-Id": "the-request",
    "User-Agent": MARK,
    "X-Forwarded-For": MARK,
    "Referer": f"https://{MARK}.example",
}


def test_a_failed_request_is_reported_without_what_it_brought(
    engine: Engine, sentry: Sentry, reporter: ErrorReporter
) -> None:
    with engine.begin() as db:
        user = make_user(db, name=MARK, email=ADDRESS)
    world = failing_world(engine, "/me")
    client, headers = world.client, as_user(user)
    client.set_cookie("session", MARK)
    answer = client.patch("/me", json={"name": f"{MARK} again"}, headers=headers | SENT)
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    report = only(sentry, reporter)
    assert headers["Authorization"].removeprefix("Bearer ") not in sentry.text()
    assert set(report) == REPORTED | {"user"}
    assert report["user"] == {"id": f"user:{user.id}"}
    expected = {"request_id": "the-request", "route": "/me", "method": "PATCH", "event": "request failed"}
    assert report["tags"] == {"process": "worker-reviews", **expected}
    assert report["transaction"] == "/me"
    assert "127.0.0.1" not in json.dumps(report)


def test_an_operator_is_reported_without_a_name(engine: Engine, sentry: Sentry, reporter: ErrorReporter) -> None:
    world = failing_world(engine, "/operations/summary")
    answer = world.client.get("/operations/summary", headers=as_operator(ADDRESS) | SENT)
    assert answer.status_code == 500
    assert only(sentry, reporter)["user"] == {"id": "operator"}


def test_refusals_and_lines_without_an_error_are_not_reported(
    engine: Engine, sentry: Sentry, reporter: ErrorReporter
) -> None:
    client = World.on(engine).client
    assert [client.get(path).status_code for path in ("/me", "/nowhere", "/bookings/x")] == [401, 404, 401]
    structlog.get_logger("tests").error("sweep.trouble", error=MARK)
    structlog.get_logger("tests").warning("retried", exc_info=ValueError(MARK))
    reporter.close()
    assert sentry.reports() == []


PROCESSES = ("api", "worker-webhooks", "streams", "sweep", "maintain")
PROGRAM = f"""
import logging, sys, threading
from config.observing import observe
from config.settings import settings
observe(settings(), sys.argv[1])
def fail(word):
    raise ValueError(word + " {MARK} {ADDRESS}")
thread = threading.Thread(target=fail, args=("thread",))
thread.start()
thread.join()
try:
    fail("library")
except ValueError:
    # As Celery does it, with the error's own text in the message.
    logging.getLogger("celery").exception("task failed: {MARK}")
fail("main")
"""


@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_caught_nowhere_is_reported(process: str, sentry: Sentry) -> None:
    variables = {"SENTRY_DSN": sentry.dsn, "SENTRY_ENVIRONMENT": "staging", "LOG_LEVEL": "INFO"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, process],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["process.failed", f"task failed: {MARK}", "process.failed"]
    reports = sentry.reports()
    assert [report["level"] for report in reports] == ["fatal", "error", "fatal"]
    assert {report["tags"]["process"] for report in reports} == {process}
    assert {report["environment"] for report in reports} == {"staging"}
    assert MARK not in sentry.text()
    assert ADDRESS not in sentry.text()


def test_every_process_begins_to_report() -> None:
    begins = {"cli/serve.py", "cli/processes.py", "workers/worker.py"}
    calls = {file for folder in ("api", "cli", "workers") for file in (ROOT / folder).rglob("*.py") if _observes(file)}
    assert {str(file.relative_to(ROOT)) for file in calls} == begins


def _observes(file: Path) -> bool:
    nodes = ast.walk(ast.parse(file.read_text()))
    return any(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "observe" for node in nodes)
