"""Tests of how large functions grow: one past this size is usually two ideas."""

from __future__ import annotations

import ast

from tests.architecture.source import ROOT, files, functions

LONGEST_FUNCTION = 60
# Tables are one list of statements each.
LISTS_OF_STATEMENTS = {"migrations/versions"}


def _is_a_list(path: str) -> bool:
    return any(path.startswith(each) for each in LISTS_OF_STATEMENTS)


def test_no_function_is_longer_than_sixty_lines() -> None:
    long = {
        f"{file.relative_to(ROOT)}:{function.name}": function.end_lineno - function.lineno + 1
        for file in files()
        if not _is_a_list(str(file.relative_to(ROOT)))
        for function in functions(file)
        if function.end_lineno and function.end_lineno - function.lineno >= LONGEST_FUNCTION
    }
    assert long == {}


def test_every_module_says_what_it_is_for_in_its_first_line() -> None:
    for file in files():
        docstring = ast.get_docstring(ast.parse(file.read_text()))
        assert docstring, file.relative_to(ROOT)
        assert docstring.splitlines()[0].strip(), file.relative_to(ROOT)


def test_no_module_is_called_after_nothing() -> None:
    assert [file.name for file in files() if file.stem in {"utils", "util", "helpers", "misc", "common"}] == []
