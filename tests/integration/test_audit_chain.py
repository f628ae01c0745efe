"""The chain of the audit: what is tampered with shows, what commits late is not missed, and what is dropped is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from models.audit import audit_entries
from models.engine import create
from tests import servers
from tests.audit import chain_all, chain_once, new_entry
from tests.integration.harness import without_guards
from workflows.audit import chain
from workflows.audit.chain import Verification, check_next_blocks, end_of_chain, month_of, verify
from workflows.audit.log import write_entries
from workflows.audit.retention import drop_old_partition, make_partitions
from workflows.constraints import constraint_of
from workflows.events.event_types import smallest_event_id

NOW = datetime.now(UTC)
SUBJECT = UUID(int=7)
CHANGED = "The entry was changed."
PARTITIONS = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid"
    " WHERE i.inhparent = 'audit_entries'::regclass ORDER BY 1"
)


@pytest.fixture
def engine(worker_id: str, template_database: str) -> Iterator[Engine]:
    """A database of the test's own: partitions come and go."""
    with servers.temporary_database(f"tutelage_audit_{worker_id}", template_database) as address:
        engine = create(address)
        yield engine
        engine.dispose()


def write(db: Connection, count: int = 1) -> None:
    entry = new_entry(subject_type="test", subject_id=SUBJECT, data={"of": ["tests", 1]})
    write_entries(db, [entry] * count)


def written(engine: Engine, count: int = 1) -> None:
    with engine.begin() as db:
        write(db, count)


def verified(engine: Engine) -> Verification:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as db:
        return verify(db)


def tampered(engine: Engine, statement: str, **values: Any) -> list[tuple[str, UUID | None]]:
    """What `verify` finds after somebody has switched the triggers off."""
    with engine.begin() as db, without_guards(db):
        db.execute(text(statement), values)
    return [(problem.sentence, problem.entry_id) for problem in verified(engine).problems]


def ids(engine: Engine) -> list[UUID]:
    with engine.connect() as db:
        return list(db.scalars(text("SELECT id FROM audit_entries ORDER BY sequence")).all())


def test_an_empty_audit_verifies(engine: Engine) -> None:
    chain_all(engine)
    found = verified(engine)
    assert (found.entries, found.blocks, found.problems, found.unchained) == (0, 0, [], None)


def test_entries_are_chained_in_blocks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    written(engine, 7)
    with engine.connect() as db:
        assert verify(db).unchained is not None
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
        db.execute(text("DELETE FROM audit_blocks WHERE number = 2"))
    with engine.begin() as db:
        entry = db.execute(chain._ENTRIES, {"after": 1, "up_to": 2}).mappings().all()
        before = db.execute(chain._BLOCK, {"number": 1}).one()
        chain._append(db, chain._link(before), entry)
    assert [problem.sentence for problem in verified(engine).problems] == ["The block before it was changed."]


def test_what_commits_late_is_chained_all_the_same(engine: Engine) -> None:
    with engine.connect() as late, late.begin() as transaction:
        write(late)
        written(engine, 3)
        for _round in range(3):
            chain_once(engine)
        # Its number is lower than those of the others, which wait for it.
        assert verified(engine).entries == 0
        transaction.commit()
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (4, [])


def test_what_was_rolled_back_leaves_a_gap(engine: Engine) -> None:
    with engine.connect() as db, db.begin() as transaction:
        write(db, 3)
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
    with engine.begin() as db:
        db.execute(text("UPDATE audit_chain SET horizon = '9000000000'"))
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (2, [])


def test_maintain_checks_page_after_page_and_begins_anew(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_NEXT_BLOCKS", chain._NEXT_BLOCKS.limit(1))
    for _block in range(3):
        written(engine)
        chain_all(engine)
    tampered(engine, "DELETE FROM audit_entries WHERE sequence = 2")
    found = []
    for _round in range(8):
        with engine.begin() as db:
            found.append(len(check_next_blocks(db)))
    assert found == [0, 1, 0, 0, 0, 1, 0, 0], "three blocks, then from the first again"


GUARDED = {
    "UPDATE audit_entries SET actor = 'x'": "tr_audit_entries_append_only",
    "DELETE FROM audit_entries": "tr_audit_entries_append_only",
    "TRUNCATE audit_entries": "tr_audit_entries_append_only",
    f"TRUNCATE audit_entries_{NOW:%Y_%m}": "tr_audit_entries_append_only",
    f"DELETE FROM audit_entries_{NOW:%Y_%m}": "tr_audit_entries_append_only",
    "UPDATE audit_blocks SET number = number": "tr_audit_entries_append_only",
    "TRUNCATE audit_blocks": "tr_audit_entries_append_only",
    "DELETE FROM audit_dropped_months": "tr_audit_entries_append_only",
}


@pytest.mark.parametrize(("statement", "guard"), GUARDED.items())
def test_the_database_refuses_to_change_the_audit(engine: Engine, statement: str, guard: str) -> None:
    written(engine)
    with engine.begin() as db, pytest.raises(IntegrityError) as refused, db.begin_nested():
        db.execute(text(statement))
    assert constraint_of(refused.value) == guard


def partitions(engine: Engine) -> list[str]:
    with engine.connect() as db:
        return list(db.scalars(PARTITIONS).all())


def on(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def backdated(engine: Engine, moment: datetime, count: int = 1) -> None:
    """Entries as if they had been written then, in the partition of their month."""
    with engine.begin() as db:
        make_partitions(db, now=moment)
        for number in range(count):
            values = {"id": UUID(int=smallest_event_id(moment).int + number), "moment": moment}
            insert = "INSERT INTO audit_entries (id, occurred_at, actor, action) VALUES (:id, :moment, 'a', 'b.c')"
            db.execute(text(insert), values)


def test_partitions_are_made_ahead_once(engine: Engine) -> None:
    before = partitions(engine)
    assert len(before) == 5, "this month, the next three, and the default one"
    with engine.begin() as db:
        assert make_partitions(db, now=NOW) == []
        made = make_partitions(db, now=NOW + timedelta(days=31))
    assert len(made) <= 1
    assert partitions(engine) == sorted([*before, *(f"audit_entries_{month:%Y_%m}" for month in made)])


def test_old_months_are_dropped_and_the_chain_goes_on(engine: Engine) -> None:
    for month in (1, 2):
        backdated(engine, on(date(2020, month, 9)), 3)
        chain_all(engine)
    written(engine, 2)
    chain_all(engine)
    head = verified(engine)
    assert (head.entries, head.blocks, head.problems) == (8, 3, [])
    dropped = []
    while name := _drop(engine, on(date(2020, 4, 1)), 45):
        dropped.append(name)
    # The fifteenth of February is 45 days before: that month is kept.
    assert dropped == ["audit_entries_2020_01"]
    assert "audit_entries_2020_01" not in partitions(engine)
    found = verified(engine)
    assert (found.entries, found.blocks, found.problems, found.end) == (5, 2, [], head.end)
    assert _drop(engine, NOW, 60) == "audit_entries_2020_02"
    with engine.connect() as db:
        kept = db.execute(text("SELECT month, number, entries FROM audit_dropped_months ORDER BY month")).all()
    assert [tuple(row) for row in kept] == [(date(2020, 1, 1), 1, 3), (date(2020, 2, 1), 2, 3)]
    written(engine)
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (3, [])
    # What lies before the chain's kept beginning is seen too.
    found_removed = tampered(engine, "DELETE FROM audit_blocks WHERE number = 3")
    assert ("The blocks from 3 on were removed.", None) in found_removed


def _drop(engine: Engine, now: datetime, days: int) -> str | None:
    with engine.begin() as db:
        return drop_old_partition(db, now=now, keep_days=days)


def test_a_month_is_not_dropped_before_it_is_chained(engine: Engine) -> None:
    backdated(engine, on(date(2020, 1, 9)))
    assert _drop(engine, NOW, 60) is None
    chain_all(engine)
    assert _drop(engine, NOW, 60) == "audit_entries_2020_01"


def test_the_chain_begins_anew_after_all_months_are_dropped(engine: Engine) -> None:
    backdated(engine, on(date(2020, 1, 9)))
    chain_all(engine)
    with engine.connect() as db:
        end = end_of_chain(db)
    assert _drop(engine, NOW, 60)
    with engine.connect() as db:
        assert end_of_chain(db) == end
    written(engine)
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).end.number, verified(engine).problems) == (1, 2, [])


def test_what_has_no_partition_is_kept_and_dropped_in_the_end(engine: Engine) -> None:
    stray = on(date(2020, 5, 5))
    with engine.begin() as db:
        insert = "INSERT INTO audit_entries (id, occurred_at, actor, action) VALUES (:id, :moment, 'a', 'b.c')"
        db.execute(text(insert), {"id": smallest_event_id(stray), "moment": stray})
    with engine.begin() as db:
        # Of its month there can be no partition any more.
        assert date(2020, 5, 1) not in make_partitions(db, now=stray)
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (1, [])
    dropped = []
    while name := _drop(engine, NOW, 60):
        dropped.append(name)
    assert dropped[-1] == "audit_entries_default"
    assert "audit_entries_default" in partitions(engine)
    written(engine)
    chain_all(engine)
    assert verified(engine).problems == []


def test_an_entry_of_a_dropped_month_may_stand_in_a_later_block(engine: Engine) -> None:
    backdated(engine, on(date(2020, 1, 9)))
    written(engine)
    backdated(engine, on(date(2020, 1, 10)))
    chain_all(engine)
    assert _drop(engine, NOW, 60) == "audit_entries_2020_01"
    # Its block is of this month, and stays.
    found = verified(engine)
    assert (found.entries, found.blocks, found.problems) == (1, 1, [])


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, 999000, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 2, 1, tzinfo=UTC), date(2026, 2, 1)),
        (datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1)),
    ],
)
def test_the_month_of_an_id_is_that_of_its_partition(moment: datetime, month: date) -> None:
    assert month_of(smallest_event_id(moment)) == month
    assert month_of(UUID(int=2**128 - 1)).year == 9999


def test_waits_for_partitions_are_short(engine: Engine) -> None:
    backdated(engine, on(date(2020, 1, 9)))
    chain_all(engine)
    with engine.connect() as reader:
        reader.execute(text("SELECT FROM audit_entries"))
        with pytest.raises(Exception, match="lock timeout"):
            _drop(engine, NOW, 60)
    assert _drop(engine, NOW, 60) == "audit_entries_2020_01"
