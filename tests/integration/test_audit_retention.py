"""Retention of the audit: partitions are made ahead, and months are dropped with their part of the chain."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from models.engine import create
from tests import servers
from tests.audit import backdated, chain_all, on, tampered, verified, written
from tests.queries import execute, scalars
from workflows.audit.chain import beginning_of_chain, end_of_chain
from workflows.audit.retention import drop_old_partition, make_partitions
from workflows.kernel.clock import first_id_at

NOW = datetime.now(UTC)
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


def partitions(engine: Engine) -> list[str]:
    return list(scalars(engine, PARTITIONS).all())


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
    assert (found.entries, found.blocks, found.problems) == (5, 3, []), "the last one stands for January"
    assert (found.end.number, found.end.up_to) == (4, head.end.up_to)
    assert _drop(engine, NOW, 60) == "audit_entries_2020_02"
    with engine.connect() as db:
        dropped_blocks = db.execute(
            text(
                "SELECT number, dropped_month, dropped_number, dropped_entries FROM audit_blocks"
                " WHERE dropped_month IS NOT NULL ORDER BY number"
            )
        )
        assert [tuple(row) for row in dropped_blocks] == [
            (4, date(2020, 1, 1), 1, 3),
            (5, date(2020, 2, 1), 2, 3),
        ]
    written(engine)
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).problems) == (3, [])
    # Entries before the chain's kept beginning are seen too.
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
        assert beginning_of_chain(db) == end
    written(engine)
    chain_all(engine)
    assert (verified(engine).entries, verified(engine).end.number, verified(engine).problems) == (1, 3, [])


def test_what_has_no_partition_is_kept_and_dropped_in_the_end(engine: Engine) -> None:
    stray = on(date(2020, 5, 5))
    with engine.begin() as db:
        insert = "INSERT INTO audit_entries (id, occurred_at, actor, action) VALUES (:id, :moment, 'a', 'b.c')"
        db.execute(text(insert), {"id": first_id_at(stray), "moment": stray})
    with engine.begin() as db:
        # Its month can no longer have a partition.
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


def test_what_an_absent_maintain_left_without_partitions_is_dropped_whole(engine: Engine) -> None:
    insert = "INSERT INTO audit_entries (id, occurred_at, actor, action) VALUES (:id, :moment, 'a', 'b.c')"
    for month in (5, 6):
        moment = on(date(2020, month, 5))
        execute(engine, text(insert), {"id": first_id_at(moment), "moment": moment})
    written(engine)
    chain_all(engine)
    assert _drop(engine, on(date(2020, 7, 20)), 30) is None, "June is kept, and May with it"
    assert _drop(engine, on(date(2020, 8, 20)), 30) == "audit_entries_default"
    assert _drop(engine, on(date(2020, 8, 20)), 30) is None
    assert (verified(engine).entries, verified(engine).problems) == (1, [])


def test_an_entry_of_a_dropped_month_may_stand_in_a_later_block(engine: Engine) -> None:
    backdated(engine, on(date(2020, 1, 9)))
    written(engine)
    backdated(engine, on(date(2020, 1, 10)))
    chain_all(engine)
    assert _drop(engine, NOW, 60) == "audit_entries_2020_01"
    # Its block is of this month, and stays.
    found = verified(engine)
    assert (found.entries, found.blocks, found.problems) == (1, 2, [])


def test_waits_for_partitions_are_short(engine: Engine) -> None:
    backdated(engine, on(date(2020, 1, 9)))
    chain_all(engine)
    with engine.connect() as reader:
        reader.execute(text("SELECT FROM audit_entries"))
        with pytest.raises(Exception, match="lock timeout"):
            _drop(engine, NOW, 60)
    assert _drop(engine, NOW, 60) == "audit_entries_2020_01"
