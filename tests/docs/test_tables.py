"""Tests of the tables in the documentation: each says what the code says, no more and no less."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.refusals import CODE_OF_STATUS, REFUSALS
from cli.plan import PARTS, ROOT
from models.bookings import BOOKING_TRANSITIONS
from models.sessions import SESSION_TRANSITIONS
from tests.docs.pages import DOCS, table
from workflows import constraints, errors
from workflows.events.catalogue import announced_types
from workflows.events.delivery import DEFAULT_RETRY_POLICY, WEBHOOK_RETRY_POLICY
from workflows.events.subscriptions import Effect, load

SESSIONS = DOCS / "sessions.md"
CODES = {row[1]: int(row[0]) for row in table(SESSIONS, "status", "code", "when")}
KINDS: dict[str, type[errors.DomainError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DomainError)
}


def test_the_table_of_errors_has_every_code_that_is_raised_and_no_other() -> None:
    assert set(CODES) == {*_raised(), *_of_constraints(), *CODE_OF_STATUS.values()}


@pytest.mark.parametrize("code", CODES)
def test_the_table_of_errors_has_the_status_that_is_answered(code: str) -> None:
    assert CODES[code] == REFUSALS[code].status


def test_the_table_of_effects_is_the_list_of_effects() -> None:
    written = {(row[0], row[1], row[2]) for row in table(SESSIONS, "event", "effect", "queue", "what it does")}
    effects: list[Any] = [*load().database_effects(), *load().outbound_effects()]
    assert written == {
        (_event(effect) if isinstance(effect, Effect) else "(other effects)", effect.name, effect.queue)
        for effect in effects
    }


def test_the_table_of_states_has_every_step_of_both_machines() -> None:
    steps: dict[str, set[tuple[str, str]]] = {"booking": set(), "session": set()}
    subject = ""
    for named, before, after, _who in table(SESSIONS, "", "from", "to", "by whom"):
        subject = named or subject
        if before != "(none)":
            steps[subject].add((before, after))
    assert steps == {"booking": _steps(BOOKING_TRANSITIONS), "session": _steps(SESSION_TRANSITIONS)}


@pytest.mark.parametrize(("page", "header"), [("running", "what it is for"), ("architecture", "talks to")])
def test_the_tables_of_processes_have_every_process(page: str, header: str) -> None:
    last = {"running": "how many", "architecture": "may be killed at any time, since"}[page]
    names = ", ".join(row[0] for row in table(DOCS / f"{page}.md", "process", header, last)).split(", ")
    workers = {part.name for part in PARTS if part.queue}
    written = {name for name in names if name not in ("worker-*", "five")} | (workers if "worker-*" in names else set())
    assert written == {part.name for part in PARTS}


def test_the_page_about_webhooks_names_every_event_type() -> None:
    text = (DOCS / "webhooks.md").read_text()
    assert [name for name in announced_types() if f"`{name}`" not in text] == []


def test_the_pages_say_how_often_and_for_how_long_is_tried() -> None:
    assert (DEFAULT_RETRY_POLICY.attempts, round(sum(DEFAULT_RETRY_POLICY.pauses) / 86_400)) == (8, 1)
    assert (WEBHOOK_RETRY_POLICY.attempts, round(sum(WEBHOOK_RETRY_POLICY.pauses) / 86_400)) == (10, 3)
    assert WEBHOOK_RETRY_POLICY.pauses == (5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))


def _event(effect: Effect) -> str:
    return "every event" if effect.event.type == "*" else effect.event.type


def _steps(transitions: dict) -> set[tuple[str, str]]:
    return {(str(before), str(after)) for before, follow in transitions.items() for after in follow}


def _of_constraints() -> set[str]:
    return {code or kind.default_code for kind, code, _sentence in constraints._MEANINGS.values()}


def _raised() -> Iterator[str]:
    """The codes of every refusal that is made anywhere: the one it is given, or else its kind's."""
    for file in [path for folder in ("workflows", "workers", "api") for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                yield _code_of(node, file)


def _code_of(call: ast.Call, file: Path) -> str:
    assert isinstance(call.func, ast.Name)
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if not given:
        return KINDS[call.func.id].default_code
    assert isinstance(given[0], ast.Constant), f"{file}:{call.lineno} makes a code that nobody can look up"
    return str(given[0].value)
