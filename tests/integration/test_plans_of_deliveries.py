"""Tests of how deliveries are found: by an index, however many are done and however many are pending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from tests.integration.harness import without_guards
from workflows.events import store
from workflows.events.delivery import Attempt, Delivery, DeliveryKey

DONE, PENDING = 30_000, 1_500
SOON = timedelta(seconds=30)

# Most rows are done, as they are in a system that has run for long; thousands of mails wait in the same queue.
_FILL = f"""
TRUNCATE events CASCADE;
INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
SELECT gen_random_uuid(), 'booking.accepted', 'booking', gen_random_uuid(), 'system',
       jsonb_build_object('booking_id', gen_random_uuid(), 'listing_id', gen_random_uuid(),
           'mentor_profile_id', gen_random_uuid(), 'mentee_user_id', NULL, 'kind', 'individual', 'status', 'accepted',
           'start_time', '2026-01-01T00:00:00+00:00', 'end_time', '2026-01-01T01:00:00+00:00', 'session_id', NULL,
           'version', 2),
       now()
FROM generate_series(1, {DONE});
INSERT INTO deliveries (event_id, effect, target, id, queue, state, due_at, nudge_at, done_at)
SELECT e.id, 'analytics.session_completed', '', gen_random_uuid(), 'analytics', 'done', now(), now(), now()
FROM events e;
INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at)
SELECT e.id, kind.effect, '', gen_random_uuid(), 'notifications', now() - interval '5 seconds', now()
FROM (SELECT id FROM events LIMIT {PENDING}) e
CROSS JOIN (VALUES ('mail.send'), ('notifications.booking_accepted')) AS kind(effect);
"""


@pytest.fixture(scope="module")
def filled(worker_engine: Engine) -> Iterator[Connection]:
    """A connection to a database of that many deliveries, on which nothing is kept."""
    with worker_engine.connect() as db:
        with without_guards(db):
            db.exec_driver_sql("SET LOCAL statement_timeout = 0")
            db.exec_driver_sql(_FILL)
        db.exec_driver_sql("ANALYZE deliveries; ANALYZE events")
        yield db
        db.rollback()


def plans(db: Connection, call: Callable[[], Any]) -> list[str]:
    """The generic plans of all statements that a call makes, each as text."""
    made: list[tuple[str, Any]] = []

    def keep(_db: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "the test's own" not in statement:
            made.append((statement, parameters))

    event.listen(db, "before_cursor_execute", keep)
    try:
        call()
    finally:
        event.remove(db, "before_cursor_execute", keep)
    cursor = db.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
    explained = []
    for statement, parameters in made:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute("EXPLAIN " + statement, parameters, prepare=True)
        explained.append("\n".join(str(row[0]) for row in cursor.fetchall()))
    return explained


def some(db: Connection, effect: str, count: int = 20) -> list[DeliveryKey]:
    """Keys of pending deliveries of an effect."""
    rows = db.execute(
        text(
            "SELECT /* the test's own */ event_id, effect, target FROM deliveries"
            " WHERE effect = :effect AND state = 'pending' LIMIT :limit"
        ),
        {"effect": effect, "limit": count},
    )
    return [DeliveryKey(**row._mapping) for row in rows]


def claimed(db: Connection) -> list[Delivery]:
    """Some deliveries as a worker holds them."""
    return store.claim(db, some(db, "notifications.booking_accepted"))


SHARED = ["notifications.booking_requested", "notifications.booking_accepted", "notifications.session_created"]
RETRY = Attempt(outcome="retry", took=SOON, error="no")
STATEMENTS: dict[str, Callable[[Connection], Any]] = {
    "claim_batch": lambda db: store.claim(db, some(db, SHARED[1]), shared=SHARED, limit=50, batch=True),
    "claim": claimed,
    "lease": lambda db: store.lease(db, claimed(db), SOON),
    "hold": lambda db: store.hold(db, claimed(db), batch=True),
    "mark_done": lambda db: store.mark_done(db, claimed(db)),
    "again": lambda db: store.settle(db, claimed(db)[0], RETRY, after=SOON),
    "claim_leased": lambda db: store.claim_leased(db, "mail.send", some(db, "mail.send"), SOON),
    "overdue": lambda db: store.overdue(db, "notifications", list_is_empty=False, after=None),
    "overdue, empty list": lambda db: store.overdue(db, "notifications", list_is_empty=True, after=None),
    "backlogs": lambda db: store.backlogs(db, ["sessions", "notifications"]),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_of_a_delivery_reads_a_whole_table(filled: Connection, name: str) -> None:
    with filled.begin_nested() as savepoint:
        explained = plans(filled, lambda: STATEMENTS[name](filled))
        savepoint.rollback()
    assert explained
    for plan in explained:
        assert "Seq Scan on deliveries" not in plan, plan
        assert "Seq Scan on events" not in plan, plan


BY_KEY: Sequence[str] = ("claim", "lease", "hold", "mark_done", "again")


@pytest.mark.parametrize("name", BY_KEY)
def test_what_is_named_is_found_by_its_primary_key(filled: Connection, name: str) -> None:
    """Not by an index over all that is pending, which is short only as long as there is no backlog."""
    with filled.begin_nested() as savepoint:
        explained = plans(filled, lambda: STATEMENTS[name](filled))
        savepoint.rollback()
    assert "pk_deliveries" in explained[-1], explained[-1]
    assert "ix_deliveries_queue_nudge_at" not in explained[-1]
