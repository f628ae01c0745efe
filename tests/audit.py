"""Entries of the audit to write, and its chain, driven as maintain does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from tests.eventually import eventually
from workflows.audit.chain import chain_entries, end_of_chain
from workflows.audit.entry import NOWHERE, NewEntry

NOW = datetime.now(UTC)
_LAST = text("SELECT coalesce(max(sequence), 0) FROM audit_entries")


def new_entry(**fields: Any) -> NewEntry:
    """An entry of a test."""
    told = {"actor": "operator:tests", "action": "test.done", "subject_type": None, "subject_id": None}
    values: dict[str, Any] = {"origin": NOWHERE, "occurred_at": NOW, **told, **fields}
    return NewEntry(**values)


def chain_once(engine: Engine) -> None:
    """One round of maintain."""
    more = True
    while more:
        with engine.begin() as db:
            more = chain_entries(db)


def chain_all(engine: Engine) -> None:
    """Rounds of maintain until all entries are chained: transactions of other databases are waited for, too."""

    def chained() -> bool:
        chain_once(engine)
        with engine.connect() as db:
            return end_of_chain(db).up_to >= (db.scalar(_LAST) or 0)

    eventually(chained, "the chain of all entries")
