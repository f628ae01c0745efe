"""What must always be true: one query a file, each finding what must not exist. Its first line says what that is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sqlalchemy import Connection, text

SAMPLE = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How often one invariant is violated, and where to look.

    Args:
        name: the invariant's file name.
        meaning: what a violation of it is.
        sample: the ids of a few violations.
    """

    name: str
    meaning: str
    violations: int
    sample: list[str]


def check_all(db: Connection) -> list[Finding]:
    """Run every invariant, in the order of their names."""
    return [_check(db, name, query) for name, query in queries().items()]


@cache
def queries() -> dict[str, str]:
    """Each invariant's query by its name; a query returns one row per violation, its first column the id."""
    found = sorted((each for each in files(__package__).iterdir() if each.name.endswith(".sql")), key=lambda e: e.name)
    return {each.name.removesuffix(".sql"): each.read_text() for each in found}


def _check(db: Connection, name: str, query: str) -> Finding:
    ids = [str(row[0]) for row in db.execute(text(query))]
    meaning = query.partition("\n")[0].removeprefix("--").strip()
    return Finding(name=name, meaning=meaning, violations=len(ids), sample=ids[:SAMPLE])
