"""Entries of the audit to write, and its chain, driven as maintain does."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from tests.eventually import eventually
from tests.integration.harness import without_guards
from workflows.audit.chain import Verification, chain_entries, end_of_chain, oldest_kept, verify
from workflows.audit.log import write_entries
from workflows.audit.retention import make_partitions
from workflows.events.audit_entry import NOWHERE, NewEntry
from workflows.kernel.clock import first_id_at

NOW = datetime.now(UTC)
SUBJECT = UUID(int=7)
_LAST = text("SELECT coalesce(max(sequence), 0) FROM audit_entries")


def new_entry(**fields: Any) -> NewEntry:
    told = {"actor": "operator:tests", "action": "test.done", "subject_type": None, "subject_id": None}
    values: dict[str, Any] = {"origin": NOWHERE, "occurred_at": NOW, **told, **fields}
    return NewEntry(**values)


def chain_once(engine: Engine) -> None:
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
    entry = new_entry(subject_type="test", subject_id=SUBJECT, data={"of": ["tests", 1]})
    with engine.begin() as db:
        write_entries(db, [entry] * count)


def on(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def backdated(engine: Engine, moment: datetime, count: int = 1) -> None:
    """Entries as if they had been written then, in the partition of their month."""
    with engine.begin() as db:
        make_partitions(db, now=moment)
        for number in range(count):
            values = {"id": UUID(int=first_id_at(moment).int + number), "moment": moment}
            insert = "INSERT INTO audit_entries (id, occurred_at, actor, action) VALUES (:id, :moment, 'a', 'b.c')"
            db.execute(text(insert), values)


def verified(engine: Engine, *, keep_days: int = 45) -> Verification:
    """What `tutelage audit verify` finds."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as db:
        return verify(db, kept_since=oldest_kept(NOW, keep_days))


def tampered(engine: Engine, statement: str, **values: Any) -> list[tuple[str, UUID | None]]:
    """What `verify` finds after the triggers have been switched off for a statement."""
    with engine.begin() as db, without_guards(db):
        db.execute(text(statement), values)
    return [(problem.sentence, problem.entry_id) for problem in verified(engine).problems]
