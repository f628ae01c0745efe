"""Tests of where statements on `deliveries` stand: in their store, and where events are recorded."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, imported

COMPOSING = ("api", "cli", "infrastructure", "workers", "workflows")
# The inserting statements stand with the events that they follow from.
STORES = {
    *(
        f"workflows/events/{name}.py"
        for name in ("rows", "claim", "settle", "sweep", "repair", "status", "record", "retention")
    ),
    "workflows/notifications/deliveries.py",
}
_STATEMENT = re.compile(r"\b(FROM|JOIN|INTO|UPDATE|USING)\s+(ONLY\s+)?deliveries\b")


def composes_a_statement(file: Path) -> bool:
    """Whether a module has the table at hand, or names it in SQL."""
    source = file.read_text()
    if "deliveries" not in source:
        return False
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    spelled = any(isinstance(each, str) and _STATEMENT.search(each) for each in texts)
    return spelled or "models.events.deliveries" in imported(file)


def test_statements_on_deliveries_stand_in_their_store() -> None:
    found = {
        str(file.relative_to(ROOT))
        for package in COMPOSING
        for file in (ROOT / package).rglob("*.py")
        if composes_a_statement(file)
    }
    assert found == STORES


@pytest.mark.parametrize(
    "line",
    [
        "from models.events import DeliveryState, deliveries",
        "import models.events.deliveries",
        '_LATE = f"""\nSELECT id\nFROM deliveries d WHERE {_DUE}\n"""',
        '_DONE = "UPDATE deliveries SET state = 1"',
        '_JOINED = " JOIN\\n deliveries d ON true"',
    ],
)
def test_a_statement_elsewhere_is_found(tmp_path: Path, line: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(f'"""Deliveries from deliveries of mine."""\n{line}\n')
    assert composes_a_statement(file)


def test_words_about_deliveries_are_no_statement(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('"""Deliveries."""\nfrom models.events import DeliveryState\nNOTE = "the deliveries of a queue"\n')
    assert not composes_a_statement(file)
