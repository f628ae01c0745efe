"""Every route that changes something has its action in the audit, and leaves an entry whatever it is."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from api.audit.entries import AUDITED, READ, UNAUDITED
from api.database import READ_METHODS
from tests.application import template_app
from tests.docs.pages import DOCS, table

ACTION = re.compile(r"[a-z_]+\.[a-z_]+")


def changing_views(app: Flask) -> set[str]:
    """The views behind every method that may change something."""
    return {
        rule.endpoint.rpartition(".")[2]
        for rule in app.url_map.iter_rules()
        if (rule.methods or set()) - {*READ_METHODS, "OPTIONS"}
    }


def test_every_changing_route_has_its_action_and_no_other() -> None:
    assert changing_views(template_app()) == set(AUDITED) | UNAUDITED, (
        "add the view to AUDITED in api/audit/entries.py and docs/audit.md"
    )


@pytest.mark.parametrize("view", AUDITED)
def test_actions_are_names_of_one_form(view: str) -> None:
    action, subject_type = AUDITED[view]
    assert ACTION.fullmatch(action)
    assert action != READ
    assert re.fullmatch(r"[a-z_]+", subject_type)


def test_the_table_of_actions_has_all_of_them() -> None:
    rows = set(map(tuple, table(DOCS / "audit.md", "action", "subject type", "operation")))
    views: dict[tuple[str, str], list[str]] = {}
    for view, (action, kind) in AUDITED.items():
        views.setdefault((action, kind), []).append(view)
    assert rows == {(action, kind, ", ".join(sorted(by))) for (action, kind), by in views.items()}
