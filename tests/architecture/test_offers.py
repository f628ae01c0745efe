"""Tests of what clients are offered: only what something in the code records."""

import ast

from tests.architecture.source import ROOT
from workflows.events.event_types import announced_types, event_types
from workflows.events.subscriptions import load
from workflows.notifications.kinds import KINDS, OFFERED

EVENT_TYPES = ROOT / "workflows" / "events" / "event_types.py"


def recorded() -> set[str]:
    """The types of which the code makes an event: by `Type(…)`, `Type.about(…)`, `tell(db, Type, …)` or a choice."""
    classes = {event.__name__: name for name, event in event_types().items()}
    sources = [file.read_text() for file in (ROOT / "workflows").rglob("*.py") if file != EVENT_TYPES]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    made = [each for node in nodes for each in _made_by(node) if isinstance(each, ast.Name)]
    return {classes[name.id] for name in made if name.id in classes}


def _made_by(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "tell":
            return node.args
        return [node.func.value if isinstance(node.func, ast.Attribute) else node.func]
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else []


def test_every_announced_type_is_recorded() -> None:
    assert set(announced_types()) - recorded() == set()


def test_every_offered_kind_follows_from_a_recorded_event() -> None:
    notified = {
        effect.name.partition(".")[2]
        for name in recorded()
        for effect in load().of(event_types()[name])
        if effect.name.startswith("notifications.")
    }
    assert set(KINDS) & notified == set(OFFERED)
