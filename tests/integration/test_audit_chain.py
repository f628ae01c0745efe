"""The chain of the audit: what is tampered with shows, what commits late is not missed, and what is dropped is not."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from models.audit import audit_entries
from tests.audit import chain_all, chain_once, new_entry, tampered, verified, written
from tests.integration.harness import without_guards
from tests.queries import execute, scalars
from workflows.audit import chain
from workflows.audit.chain import check_next_blocks, month_of
from workflows.audit.log import write_entries
from workflows.kernel.clock import first_id_at
from workflows.kernel.constraints import constraint_of

NOW = datetime.now(UTC)
CHANGED = "The entry was changed."


def ids(engine: Engine) -> list[UUID]:
    return list(scalars(engine, text("SELECT id FROM audit_entries ORDER BY sequence")).all())


def test_an_empty_audit_verifies(engine: Engine) -> None:
    chain_all(engine)
    found = verified(engine)
    assert (found.entries, found.blocks, found.problems, found.unchained) == (0, 0, [], None)


def test_entries_are_chained_in_blocks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    written(engine, 7)
    assert verified(engine).unchained is not None
    monkeypatch.setattr(chain, "NEXT_ENTRIES", chain._ENTRIES.limit(3))
    chain_all(engine)
    written(engine)
    chain_all(engine)
    found = verified(engine)
    assert (found.entries, found.blocks, found.problems, found.unchained) == (8, 4, [], None)
    assert found.end.number == 4
    chain_all(engine)
    assert verified(engine).end == found.end, "nothing new is no block"


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE audit_entries SET actor = 'operator:other' WHERE id = :id", CHANGED),
        ("UPDATE audit_entries SET reason = 'x' WHERE id = :id", CHANGED),
        ("""UPDATE audit_entries SET data = '{"of": ["tests", 2]}' WHERE id = :id""", CHANGED),
        (
            "UPDATE audit_entries SET occurred_at = occurred_at - interval '1 microsecond' WHERE id = :id",
            CHANGED,
        ),
        ("DELETE FROM audit_entries WHERE id = :id", "The entry was removed."),
    ],
)
def test_a_changed_or_removed_entry_is_named(engine: Engine, statement: str, sentence: str) -> None:
    written(engine, 5)
    chain_all(engine)
    victim = ids(engine)[2]
    assert tampered(engine, statement, id=victim) == [(sentence, victim)]


def test_an_added_entry_is_named(engine: Engine) -> None:
    written(engine, 5)
    chain_all(engine)
    forged = UUID(int=ids(engine)[2].int + 1)
    copied = ", ".join(column.name for column in audit_entries.c if column.name != "id")
    found = tampered(
        engine,
        f"INSERT INTO audit_entries (id, {copied}) OVERRIDING SYSTEM VALUE"
        f" SELECT :forged, {copied} FROM audit_entries WHERE id = :id",
        forged=forged,
        id=ids(engine)[2],
    )
    assert found == [("The entry was added to what is chained.", forged)]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE audit_blocks SET digests = sha256('') WHERE number = 2", "The block was changed."),
        ("DELETE FROM audit_blocks WHERE number = 2", "The blocks from 2 on were removed."),
    ],
)
def test_a_changed_chain_is_named(engine: Engine, statement: str, sentence: str) -> None:
    for _block in range(3):
        written(engine)
        chain_all(engine)
    assert sentence in [sentence for sentence, _entry in tampered(engine, statement)]


def test_a_block_that_was_written_anew_breaks_the_next(engine: Engine) -> None:
    for _block in range(3):
        written(engine)
        chain_all(engine)
    with engine.begin() as db, without_guards(db):
        db.execute(text("UPDATE audit_entries SET actor = 'operator:other' WHERE id = :id"), {"id": ids(engine)[1]})
        up_to = db.scalar(text("DELETE FROM audit_blocks WHERE number = 2 RETURNING up_to"))
        before = chain._link(db.execute(chain._BLOCK, {"number": 1}).one())
        entries = db.execute(chain._ENTRIES, {"after": before.up_to, "up_to": up_to}).mappings().all()
        chain._append(db, before, entries)
    assert [problem.sentence for problem in verified(engine).problems] == ["The block before it was changed."]


def test_what_commits_late_is_chained_all_the_same(engine: Engine) -> None:
    with engine.connect() as late, late.begin() as transaction:
        write_entries(late, [new_entry()])
        written(engine, 3)
        for _round in range(3):
            chain_once(engine)
        # Its number is lower than the others', which wait for it.
        assert verified(engine).entries == 0
        transaction.commit()
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (4, [])


def test_a_transaction_that_began_last_is_waited_for(engine: Engine) -> None:
    with engine.connect() as first, engine.connect() as last, last.begin() as transaction:
        with first.begin():
            first.execute(text("SELECT pg_current_xact_id()"))
            write_entries(last, [new_entry()])
            write_entries(first, [new_entry()])
        # No transaction that began after the last one has ended: it lies beyond what a snapshot knows of.
        for _round in range(3):
            chain_once(engine)
        assert verified(engine).entries == 0
        transaction.commit()
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (2, [])


def test_what_was_rolled_back_leaves_a_gap(engine: Engine) -> None:
    with engine.connect() as db, db.begin() as transaction:
        write_entries(db, [new_entry()] * 3)
        transaction.rollback()
    written(engine)
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (1, [])


def test_the_chain_goes_on_in_another_cluster(engine: Engine) -> None:
    written(engine)
    chain_all(engine)
    written(engine)
    chain_once(engine)
    # As a dump restored where few transactions have run yet.
    execute(engine, text("UPDATE audit_chain SET horizon = '9000000000'"))
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (2, [])


def test_maintain_checks_page_after_page_and_begins_anew(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_NEXT_BLOCKS", chain._NEXT_BLOCKS.limit(1))
    for _block in range(3):
        written(engine)
        chain_all(engine)
    tampered(engine, "DELETE FROM audit_entries WHERE id = :id", id=ids(engine)[1])
    found = []
    for _round in range(8):
        with engine.begin() as db:
            found.append(len(check_next_blocks(db, kept_since=date.min)))
    assert found == [0, 1, 0, 0, 0, 1, 0, 0], "three blocks, then from the first again"


GUARDED = {
    "UPDATE audit_entries SET actor = 'x'": "tr_audit_entries_append_only",
    "DELETE FROM audit_entries": "tr_audit_entries_append_only",
    "TRUNCATE audit_entries": "tr_audit_entries_append_only",
    f"TRUNCATE audit_entries_{NOW:%Y_%m}": "tr_audit_entries_append_only",
    f"DELETE FROM audit_entries_{NOW:%Y_%m}": "tr_audit_entries_append_only",
    "UPDATE audit_blocks SET number = number": "tr_audit_entries_append_only",
    "TRUNCATE audit_blocks": "tr_audit_entries_append_only",
    "DELETE FROM audit_blocks": "tr_audit_blocks_chain",
    "INSERT INTO audit_blocks (number, month, up_to, previous, hash, entry_ids, digests)"
    " SELECT number + 2, month, up_to, hash, hash, '{}', '' FROM audit_blocks": "tr_audit_blocks_chain",
    "INSERT INTO audit_blocks (number, month, up_to, previous, hash, entry_ids, digests)"
    " SELECT number + 1, month, up_to, previous, hash, '{}', '' FROM audit_blocks": "tr_audit_blocks_chain",
    "INSERT INTO audit_blocks (number, month, up_to, previous, hash, entry_ids, digests, dropped_month, dropped_number,"
    " dropped_up_to, dropped_hash, dropped_entries)"
    " SELECT number + 1, month, up_to, hash, hash, '{}', '', month, number, up_to, hash,"
    " 1 FROM audit_blocks": "tr_audit_blocks_chain",
    "TRUNCATE audit_chain": "tr_audit_entries_append_only",
    "DELETE FROM audit_chain": "tr_audit_chain_forward",
    "UPDATE audit_chain SET noted = 0": "tr_audit_chain_forward",
    "UPDATE audit_chain SET number = 0": "tr_audit_chain_forward",
}


@pytest.mark.parametrize(("statement", "guard"), GUARDED.items())
def test_the_database_refuses_to_change_the_audit(engine: Engine, statement: str, guard: str) -> None:
    written(engine)
    chain_all(engine)
    with engine.begin() as db, pytest.raises(IntegrityError) as refused, db.begin_nested():
        db.execute(text(statement))
    assert constraint_of(refused.value) == guard


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, 999000, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 2, 1, tzinfo=UTC), date(2026, 2, 1)),
        (datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1)),
    ],
)
def test_the_month_of_an_id_is_that_of_its_partition(moment: datetime, month: date) -> None:
    assert month_of(first_id_at(moment)) == month
    assert month_of(UUID(int=2**128 - 1)).year == 9999
