"""Tests of what maintain reads on a round: as much of a long history as of a short one, and nothing large whole."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, Engine, text

from models.engine import create
from tests import servers
from tests.eventually import eventually
from tests.history import analyze, make_history
from tests.integration.harness import Harness
from tests.integration.plans import plan_as_sent
from tests.statements import statements_of
from workers.maintain import maintain
from workflows.analytics.summary import summary_of
from workflows.events.backfill import introduce
from workflows.events.subscriptions import load
from workflows.invariants import continuous

SHORT, LONG = 1_500, 6_000
RECENT = 60
LARGE = ("bookings", "sessions", "events", "deliveries", "notifications", "review_permits", "booking_participants",
         "person_busy")  # fmt: skip
READ = f"""
SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read) AS blocks, sum(idx_scan) AS looks
FROM pg_statio_user_tables JOIN pg_stat_user_tables USING (relid, relname)
WHERE relname = ANY(ARRAY{list(LARGE)})
"""


@pytest.fixture(scope="module")
def lived(worker_id: str, template_database: str) -> Iterator[Engine]:
    """A database of a short history, and of some lives within the last hour."""
    with servers.temporary_database(f"tutelage_rounds_{worker_id}", template_database) as address:
        engine = create(address)
        with engine.begin() as db:
            introduce(db, load())
            for table in LARGE:
                # Its own reads would be counted as well.
                db.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
        add(engine, RECENT, "recent", since=timedelta(minutes=70), until=timedelta(seconds=1))
        add(engine, SHORT, "short", since=timedelta(days=300), until=timedelta(days=200))
        yield engine
        engine.dispose()


def add(engine: Engine, lives: int, tag: str, *, since: timedelta, until: timedelta) -> None:
    with engine.begin() as db:
        make_history(db, lives, since=since, until=until, tag=tag, catalogue=load().effect_catalogue.id)
    with engine.begin() as db:
        analyze(db)


def go_back(engine: Engine) -> None:
    """Let the recent lives be what changed since the last round."""
    with engine.begin() as db:
        db.execute(
            text("UPDATE maintenance_cursors SET moment = now() - interval '100 minutes' WHERE name NOT LIKE 'w%'")
        )
        db.execute(text("DELETE FROM violations"))


def is_alone(db: Connection) -> bool:
    # A transaction sees all connections as its first look saw them.
    others = (
        "SELECT count(*) FROM pg_stat_clear_snapshot(), pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return not db.scalars(text(others)).one()


def read_of_a_round(engine: Engine) -> tuple[int, int]:
    """How many blocks of the large tables and their indexes one round reads, and how often it looks into an index."""
    harness = Harness(engine)
    counts = []
    for work in (lambda: None, lambda: maintain(harness.transactions)):
        go_back(engine)
        work()
        # A connection has counted what it read when it has ended.
        engine.dispose()
        with engine.connect() as db:
            eventually(partial(is_alone, db), "the end of all other connections")
            counts.append(db.execute(text(READ)).one())
    before, after = counts
    return int(after.blocks - before.blocks), int(after.looks - before.looks)


def test_a_round_reads_no_more_of_a_long_history(lived: Engine) -> None:
    harness = Harness(lived)
    assert maintain(harness.transactions)
    short, looks = read_of_a_round(lived)
    add(lived, LONG, "long", since=timedelta(days=199), until=timedelta(days=4))
    long, _looks = read_of_a_round(lived)
    assert short > looks > RECENT, "it reads something"
    # An index that is a level deeper is read a block more for each look into it.
    assert long <= 1.1 * short + looks, f"{short} blocks of {SHORT} lives, {long} of {LONG}, {looks} looks"


def test_nothing_large_is_read_as_a_whole(lived: Engine) -> None:
    with lived.connect() as db:
        if db.execute(text("SELECT count(*) FROM bookings")).scalar_one() < LONG:
            db.rollback()
            add(lived, LONG, "long", since=timedelta(days=199), until=timedelta(days=4))
    harness = Harness(lived)
    maintain(harness.transactions)
    go_back(lived)
    with statements_of(lived) as made:
        assert maintain(harness.transactions)
        for _page in range(3):
            with harness.transactions() as db:
                assert continuous.look_through(db)
        with lived.connect() as db:
            summary_of(db, now=datetime.now(UTC))
    asked = dict.fromkeys(made.statements)
    assert len(asked) > 30
    for statement in asked:
        with lived.connect() as db:
            plan = plan_as_sent(db, statement)
        whole = [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"]
        assert not set(whole) & set(LARGE), statement
