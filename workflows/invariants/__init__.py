"""Invariants: a query a file that finds violations; the first line of the file describes a violation.

A query checks everything, on demand, or a part: recent changes, a page of everything, or earlier violations
(workflows.invariants.continuous). Lines that end in `-- part` limit a query to the rows of the part.
"""

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
    """The ids by which a part of an invariant's rows is chosen."""

    BOOKINGS = "ids of bookings"
    MENTORS = "ids of mentor profiles"
    BUNDLES = "ids of bundles"
    PAYMENTS = "ids of payments"
    STATE = "by nothing: it reads violations alone"


# Every other one is about bookings.
ABOUT = {
    "bundle_differs_from_payment": About.BUNDLES,
    "bundle_ledger_differs": About.BUNDLES,
    "dead_delivery": About.STATE,
    "delivery_long_overdue": About.STATE,
    "payment_awaited_by_nothing": About.PAYMENTS,
    "payment_ledger_differs": About.PAYMENTS,
    "rating_differs_from_reviews": About.MENTORS,
    "session_count_differs": About.MENTORS,
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How often one invariant is violated, and where to look."""

    name: str  # the invariant's file name
    meaning: str  # the description of a violation
    violations: int
    sample: list[str]  # the ids of a few violations


@dataclass(frozen=True)
class Violation:
    """A violation, and the booking, mentor, bundle or payment to check for it again."""

    subject: str
    about: str


def check_all(db: Connection) -> list[Finding]:
    """Check every invariant about everything, in the order of their names, however long that takes."""
    db.execute(sql(f"SELECT set_config('statement_timeout', '{WHOLE_TIMEOUT}', true)"))
    return [finding_of(name, [str(row[0]) for row in db.execute(sql(query))]) for name, query in queries().items()]


def finding_of(name: str, subjects: list[str], violations: int | None = None) -> Finding:
    """The finding of one invariant."""
    meaning = _sources()[name].partition("\n")[0].removeprefix("--").strip()
    found = len(subjects) if violations is None else violations
    return Finding(name=name, meaning=meaning, violations=found, sample=subjects[:SAMPLE])


def check_part(db: Connection, name: str, ids: Collection[UUID]) -> list[Violation]:
    """Check one invariant about these bookings, mentors, bundles or payments alone."""
    rows = db.execute(sql(_sources()[name]), {"ids": list(ids)})
    return [Violation(str(row.id), str(row.about)) for row in rows]


def check_state(db: Connection, name: str) -> list[str]:
    """Check one invariant that reads violations alone; returns up to MAX_COUNTED_VIOLATIONS ids."""
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
