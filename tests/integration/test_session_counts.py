"""Tests of the counts of sessions behind the operators' summary: exact at any moment, whoever adds them up and when."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, func, select

from cli.migrate import MIGRATIONS, revert, upgrade
from models.engine import create
from models.maintenance import session_count_changes, session_counts
from tests.factories import complete_session, make_session, start_session
from tests.integration.harness import Harness
from workflows.analytics.summary import Summary, add_up_changes, summary_of
from workflows.invariants import check_all

BEFORE = "0019"


def live(harness: Harness) -> None:
    """A session of each status but one."""
    with harness.transactions() as db:
        make_session(db)
        start_session(db, make_session(db))
        complete_session(db, start_session(db, make_session(db)))


def shown(engine: Engine) -> Summary:
    """The summary, once no invariant is violated."""
    with engine.connect() as db:
        assert [found.name for found in check_all(db) if found.violations] == []
        return summary_of(db)


def test_the_summary_is_the_same_before_during_and_after_adding_up(harness: Harness) -> None:
    live(harness)
    before = shown(harness.engine)
    assert before.statuses == {"scheduled": 1, "in_progress": 1, "completed": 1}
    assert (before.sessions, before.accepted_bookings) == (3, 3)
    with harness.engine.begin() as first:
        assert not add_up_changes(first)
        with harness.engine.connect() as db:
            assert summary_of(db) == before, "by then another has not committed"
            # What one adds up, another leaves alone, and does not wait.
            assert not add_up_changes(db)
            db.rollback()
        live(harness)
    assert shown(harness.engine).statuses == {"scheduled": 2, "in_progress": 2, "completed": 2}
    with harness.engine.connect() as db:
        assert db.scalar(select(func.sum(session_counts.c.amount))) == 6
        assert db.scalar(select(func.count()).select_from(session_count_changes)) == 3 + 3 + 2 * 1 + 2 * 2


@pytest.mark.parametrize("without", [(), ("hashjoin", "hashagg", "material", "sort")], ids=["usual", "nested"])
def test_changes_are_added_up_batch_by_batch_whatever_the_plan(harness: Harness, without: Sequence[str]) -> None:
    live(harness)
    before = shown(harness.engine)
    batches = 0
    while True:
        with harness.engine.begin() as db:
            for kind in without:
                db.exec_driver_sql(f"SET LOCAL enable_{kind} = off")
            more = add_up_changes(db, limit=4)
        batches += 1
        assert shown(harness.engine) == before
        if not more:
            break
    assert batches == 12 // 4 + 1


def test_what_there_was_before_is_counted_by_the_migration(database_url: str) -> None:
    engine = create(database_url)
    live(Harness(engine))
    before = shown(engine)
    engine.dispose()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    steps = len(list(ScriptDirectory.from_config(config).iterate_revisions("head", BEFORE)))
    revert(database_url, steps)
    upgrade(database_url)
    engine = create(database_url)
    assert shown(engine) == before
    with engine.connect() as db:
        assert db.scalar(select(func.count()).select_from(session_count_changes)) == 0
    engine.dispose()
