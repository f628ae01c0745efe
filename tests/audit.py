"""Entries of the audit to write, and its chain, driven as maintain does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from tests.eventually import eventually
from tests.integration.harness import without_guards
from workflows.audit.chain import Verification, chain_entries, end_of_chain, verify
from workflows.audit.entry import NOWHERE, NewEntry
from workflows.audit.log import write_entries

NOW = datetime.now(UTC)
SUBJECT = UUID(int=7)
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


def written(engine: Engine, count: int = 1) -> None:
    """So many entries, committed."""
    entry = new_entry(subject_type="test", subject_id=SUBJECT, data={"of": ["tests", 1]})
    with engine.begin() as db:
        write_entries(db, [entry] * count)


def verified(engine: Engine) -> Verification:
    """What `tutelage audit verify` finds."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as db:
        return verify(db)


def tampered(engine: Engine, statement: str, **values: Any) -> list[tuple[str, UUID | None]]:
    """What `verify` finds after the triggers have been switched off for a statement."""
    with engine.begin() as db, without_guards(db):
        db.execute(text(statement), values)
    return [(problem.sentence, problem.entry_id) for problem in verified(engine).problems]
