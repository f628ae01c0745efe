"""Every route that changes something has its action in the audit, and leaves an entry whatever it is."""

import re

import pytest
from flask import Flask

from api.audit.entries import READ
from api.database import READ_METHODS
from api.routes.declaration import Declaration, declaration_of
from tests.application import template_app
from tests.docs.pages import DOCS, table

ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
# They take something by POST, and change nothing that is stored.
UNAUDITED = {"take_telemetry", "issue_demo_token"}


def audited(app: Flask, *, changing: bool) -> dict[str, Declaration]:
    """The declarations of the routes that may change something, or that cannot, by the names of their views."""
    return {
        rule.endpoint.rpartition(".")[2]: declaration_of(app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        if bool((rule.methods or set()) - {*READ_METHODS, "OPTIONS"}) is changing
    }


AUDITED = {view: declared for view, declared in audited(template_app(), changing=True).items() if declared.action}


def test_every_changing_route_has_its_action_and_no_other() -> None:
    assert set(audited(template_app(), changing=True)) == set(AUDITED) | UNAUDITED, "declare an action for the route"
    assert not any(declared.action for declared in audited(template_app(), changing=False).values())


@pytest.mark.parametrize("view", AUDITED)
def test_actions_are_names_of_one_form(view: str) -> None:
    action, subject_type = AUDITED[view].action or "", AUDITED[view].about or ""
    assert ACTION.fullmatch(action)
    assert action != READ
    assert re.fullmatch(r"[a-z_]+", subject_type)


def test_the_table_of_actions_has_all_of_them() -> None:
    rows = set(map(tuple, table(DOCS / "audit.md", "action", "subject type", "operation")))
    views: dict[tuple[str, str], list[str]] = {}
    for view, declared in AUDITED.items():
        views.setdefault((declared.action or "", declared.about or ""), []).append(view)
    assert rows == {(action, kind, ", ".join(sorted(by))) for (action, kind), by in views.items()}
