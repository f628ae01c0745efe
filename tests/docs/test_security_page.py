"""Tests of the page about security: all ten risks stand there, and every test that it names is there."""

import ast
import re

import pytest

from cli.plan import ROOT
from tests.docs.pages import DOCS, prose, table

PAGE = DOCS / "security.md"
ROWS = table(PAGE, "risk", "what protects", "held by")
NAMED = sorted(set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", prose(PAGE))))


def test_every_risk_of_the_list_is_held_by_tests() -> None:
    assert [risk.split()[0] for risk, _what, _tests in ROWS] == [f"API{number}" for number in range(1, 11)]
    assert all("::test_" in tests for _risk, _what, tests in ROWS)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_is_named_is_there(file: str, name: str) -> None:
    functions = {
        node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert name in functions
