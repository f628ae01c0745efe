"""SQL is composed at import, of what the code holds: no words of a request get into a statement's text.

In place of ruff's S608, which cannot tell a list of columns from what a caller sent.
"""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import ROOT, files

SQL = re.compile(r"\b(SELECT |INSERT INTO |UPDATE \w+ SET|UPDATE {}|DELETE FROM |WITH \w+ AS)")
# Functions that compose statements, and of what; each is called with constants of the code.
BUILDERS = {
    "workflows/availability/slots.py:_cheapest": "one of some conditions, and of two durations",
    "workflows/availability/slots.py:_listings_where": "one of some conditions",
    "workflows/bookings/insert.py:_statement": "clauses of one statement",
    "workflows/bundles/ledger.py:_giving_back": "a condition on an entry",
    "workflows/bundles/ledger.py:_lock_spent": "a condition on an entry",
    "workflows/bundles/ledger.py:moving": "a change of a bundle, and names of columns",
    "workflows/events/record.py:recording": "names of columns",
    "workflows/events/retention.py:__init__": "a table and its key",
    "workflows/groups/records.py:_left_seats": "one of two conditions",
    "workflows/groups/waitlist.py:_deleting": "one of some conditions",
    "workflows/invariants/__init__.py:check_all": "a time-out of the code",
    "workflows/invariants/__init__.py:check_state": "a query of a file of the code",
    "workflows/catalog/booked.py:shown_offer": "the name of a table",
    "workflows/payments/ledger.py:_moving": "a change of a payment, and names of columns",
    "workflows/payments/records.py:shown_payment": "the name of a table",
    "workflows/privacy/erasure.py:_update": "names of a table and its columns, and a condition of the code",
    "workflows/privacy/reencryption.py:_sealed_table": "names of a table and its columns",
    "workflows/kernel/expired.py:__init__": "names of a table and a column, and a condition of the code",
    "workflows/kernel/transitions.py:update_statement": "names of a table, its columns and states",
}


def composed(tree: ast.AST, function: str = "") -> Iterator[str]:
    """The functions of a module in which a text with SQL has something put into it."""
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if inside and isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            if SQL.search("".join(str(part) for part in parts)) and "{}" in parts:
                yield inside
        yield from composed(node, inside)


def test_sql_is_composed_by_known_functions_alone() -> None:
    found = {
        f"{file.relative_to(ROOT).as_posix()}:{function}"
        for file in files()
        if file.parts[-2] != "versions"
        for function in composed(ast.parse(file.read_text()))
    }
    assert found == set(BUILDERS)


def test_a_statement_with_a_callers_words_is_found() -> None:
    code = "def find(db, name):\n    return db.execute(text(f\"SELECT id FROM users WHERE name = '{name}'\"))"
    assert list(composed(ast.parse(code))) == ["find"]


def test_a_statement_of_constants_is_none() -> None:
    assert not list(composed(ast.parse("QUERY = f'SELECT {COLUMNS} FROM users'")))


def test_postgresql_computes_no_local_times() -> None:
    """Its rules of time zones may differ from tzdata's."""
    zoned = re.compile(r"AT TIME ZONE (?!'UTC')|func\.timezone\((?!\"UTC\")", re.IGNORECASE)
    # Which compares both.
    allowed = {ROOT / "workflows/kernel/zone_rules.py"}
    assert [file for file in files() if file not in allowed and zoned.search(file.read_text())] == []
