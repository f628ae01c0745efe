"""What must always be true: one query a file, each finding what must not exist. Its first line describes that.

Each is asked about everything, on demand, or about a part: of what changed, of a page of the whole, of what was found
before (workflows.invariants.continuous). Lines that end in `-- part` limit a query to the rows that are asked about.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from uuid import UUID

from sqlalchemy import Connection

from models.base import sql

SAMPLE = 5
MAX_COUNTED_VIOLATIONS = 10_000
# Of one invariant about everything: longer than a request may wait, since it is run rarely.
WHOLE_TIMEOUT = "5min"
_PART = "-- part"


class About(Enum):
    """What a part of an invariant's rows is chosen by."""

    BOOKINGS = "ids of bookings"
    MENTORS = "ids of mentor profiles"
    BUNDLES = "ids of bundles"
    STATE = "by nothing: what it reads is as little as what is wrong"


# Every other one is about bookings.
ABOUT = {
    "bundle_ledger_differs": About.BUNDLES,
    "dead_delivery": About.STATE,
    "delivery_long_overdue": About.STATE,
    "rating_differs_from_reviews": About.MENTORS,
    "session_count_differs": About.MENTORS,
}


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


@dataclass(frozen=True)
class Violation:
    """What is wrong, and the booking, mentor or bundle to look at again to see whether it still is."""

    subject: str
    about: str


def check_all(db: Connection) -> list[Finding]:
    """Ask every invariant about everything, in the order of their names, however long that takes."""
    db.execute(sql(f"SELECT set_config('statement_timeout', '{WHOLE_TIMEOUT}', true)"))
    return [finding_of(name, [str(row[0]) for row in db.execute(sql(query))]) for name, query in queries().items()]


def finding_of(name: str, subjects: list[str], violations: int | None = None) -> Finding:
    """What was found of one invariant.

    Args:
        subjects: what is wrong, or some of it.
        violations: how much is wrong; None for as much as is named.
    """
    meaning = _sources()[name].partition("\n")[0].removeprefix("--").strip()
    found = len(subjects) if violations is None else violations
    return Finding(name=name, meaning=meaning, violations=found, sample=subjects[:SAMPLE])


def check_part(db: Connection, name: str, ids: Collection[UUID]) -> list[Violation]:
    """Ask one invariant about these bookings, mentors or bundles alone."""
    rows = db.execute(sql(_sources()[name]), {"ids": list(ids)})
    return [Violation(str(row.id), str(row.about)) for row in rows]


def check_state(db: Connection, name: str) -> list[str]:
    """Ask one invariant that reads no more than what is wrong; the ids of up to MAX_COUNTED_VIOLATIONS."""
    query = f"SELECT id FROM ({_sources()[name]}) AS found LIMIT {MAX_COUNTED_VIOLATIONS}"
    return [str(row.id) for row in db.execute(sql(query))]


def names(about: About) -> list[str]:
    """The invariants whose parts are chosen by that."""
    return [name for name in _sources() if ABOUT.get(name, About.BOOKINGS) is about]


def queries() -> dict[str, str]:
    """Each invariant's query about everything by its name; it returns a row per violation, its first column the id."""
    return {name: _without_part(source) for name, source in _sources().items()}


@cache
def _sources() -> dict[str, str]:
    found = sorted((each for each in files(__package__).iterdir() if each.name.endswith(".sql")), key=lambda e: e.name)
    return {each.name.removesuffix(".sql"): each.read_text() for each in found}


def _without_part(source: str) -> str:
    return "".join(line for line in source.splitlines(keepends=True) if not line.rstrip().endswith(_PART))
