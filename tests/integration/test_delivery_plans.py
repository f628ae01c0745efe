"""Plans of what claims, settles and sweeps deliveries: with many rows, and made while the tables were empty."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import ClauseElement, Connection, Engine, text

from models.prepared import PreparedStatement
from tests.integration.harness import without_guards
from tests.integration.plans import SOME_ID, explained, filled_once, plan_as_sent, plan_of, statements_of
from tests.integration.test_plans import NAMING, STATEMENTS, subject_statements
from workflows.bookings.actions import BOOKING_MACHINE
from workflows.bookings.insert import ACCEPTED, DRAFT
from workflows.events import claim, settle, sweep
from workflows.events.delivery import Attempt, Delivery, DeliveryKey
from workflows.events.rows import ALWAYS
from workflows.notifications.deliveries import earlier_messages, gathered, mark_gathered_done, share_effect
from workflows.sessions.actions import SESSION_MACHINE

DONE, PENDING = 8_000, 400
SOON = timedelta(seconds=30)

# Most rows are done, as they are in a system that has run for long; hundreds of mails wait in the same queue.
_FILL = """
INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
SELECT gen_random_uuid(), 'booking.accepted', 'booking', gen_random_uuid(), 'system',
       jsonb_build_object('booking_id', gen_random_uuid(), 'listing_id', gen_random_uuid(),
           'mentor_profile_id', gen_random_uuid(), 'mentee_user_id', NULL, 'kind', 'individual', 'status', 'accepted',
           'start_time', '2026-01-01T00:00:00+00:00', 'end_time', '2026-01-01T01:00:00+00:00', 'session_id', NULL,
           'version', 2),
       now()
FROM generate_series(1, {done});
INSERT INTO deliveries (event_id, effect, target, id, queue, state, due_at, nudge_at, done_at)
SELECT e.id, 'analytics.session_completed', '', gen_random_uuid(), 'analytics', 'done', now(), now(), now()
FROM events e;
INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at)
SELECT e.id, kind.effect, '', gen_random_uuid(), 'notifications', now() - interval '5 seconds', now()
FROM (SELECT id FROM events LIMIT {pending}) e
CROSS JOIN (VALUES ('mail.send'), ('notifications.booking_accepted')) AS kind(effect);
"""

# Ids in an order: which of two indexes of an empty table is a little cheaper follows from the order of their columns.
_EMPTIED_SYSTEM = """
TRUNCATE events CASCADE;
INSERT INTO notifications (id, event_id, user_id, kind, channel, title, body, gathered_until)
SELECT id, id, id, 'booking_accepted', 'email', '', '', CASE WHEN n %% 2 = 0 THEN now() END
FROM generate_series(1, 300) n, CAST(lpad(n::text, 32, '0') AS uuid) id;
ANALYZE notifications;
TRUNCATE events CASCADE;
"""


@pytest.fixture(scope="module")
def filled(worker_id: str, template_database: str) -> Iterator[Connection]:
    """A connection to a database of that many deliveries, on which nothing more is kept."""
    statements = [_FILL.format(done=DONE, pending=PENDING), "ANALYZE deliveries, events"]
    with filled_once(f"tutelage_filled_{worker_id}", template_database, statements) as db:
        yield db


def plans(db: Connection, call: Callable[[], Any]) -> list[str]:
    """The generic plans of all statements that a call makes, each as text."""
    return ["\n".join(explained(db, statement, "TEXT")) for statement, _parameters in statements_of(db, call)]


def some(db: Connection, effect: str, count: int = 20) -> list[DeliveryKey]:
    rows = db.execute(
        text(
            "SELECT /* the test's own */ event_id, effect, target FROM deliveries"
            " WHERE effect = :effect AND state = 'pending' LIMIT :limit"
        ),
        {"effect": effect, "limit": count},
    )
    return [DeliveryKey(**row._mapping) for row in rows]


def claimed(db: Connection) -> list[Delivery]:
    return claim.claim(db, some(db, "notifications.booking_accepted"))


SHARED_EFFECTS = ["notifications.booking_requested", "notifications.booking_accepted", "notifications.session_created"]
SHARED = dict.fromkeys(SHARED_EFFECTS, ALWAYS)
RETRY = Attempt(outcome="retry", took=SOON, error="no")
DELIVERY_STATEMENTS: dict[str, Callable[[Connection], Any]] = {
    "claim_batch": lambda db: claim.claim(db, some(db, SHARED_EFFECTS[1]), shared=SHARED, limit=50, batch=True),
    "claim": claimed,
    "lease": lambda db: claim.lease(db, claimed(db), SOON),
    "hold": lambda db: claim.hold(db, claimed(db), batch=True),
    "mark_done": lambda db: settle.mark_done(db, claimed(db)),
    "again": lambda db: settle.settle(db, claimed(db)[0], RETRY, after=SOON),
    "claim_leased": lambda db: claim.claim_leased(db, "mail.send", some(db, "mail.send"), SOON),
    "overdue": lambda db: sweep.overdue(db, "notifications", list_is_empty=False),
    "overdue, empty list": lambda db: sweep.overdue(db, "notifications", list_is_empty=True),
    "share_effect": lambda db: share_effect(db, SHARED_EFFECTS[1], "booking.accepted", [SOME_ID]),
    "earlier_messages": lambda db: earlier_messages(db, "booking.accepted", claimed(db)),
    "gathered": lambda db: gathered(db, user_id=SOME_ID, kind="x", until=ALWAYS),
    "mark_gathered_done": lambda db: mark_gathered_done(db, [SOME_ID], sent_by=SOME_ID),
    "backlogs": lambda db: sweep.backlogs(db, ["sessions", "notifications"]),
    "oldest undelivered": lambda db: sweep.oldest_undelivered(db, ["webhooks"], ["webhooks.send"]),
}


@pytest.mark.parametrize("name", DELIVERY_STATEMENTS)
def test_no_statement_of_a_delivery_reads_a_whole_table(filled: Connection, name: str) -> None:
    with filled.begin() as transaction:
        found = plans(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        transaction.rollback()
    assert found
    for plan in found:
        assert "Seq Scan on deliveries" not in plan, plan
        assert "Seq Scan on events" not in plan, plan


BY_KEY: Sequence[str] = ("claim", "lease", "hold", "mark_done", "again")


@pytest.mark.parametrize("name", BY_KEY)
def test_what_is_named_is_found_by_its_primary_key(filled: Connection, name: str) -> None:
    """Not by an index over all that is pending, which is short only as long as there is no backlog."""
    with filled.begin() as transaction:
        *_before, last = plans(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        transaction.rollback()
    assert "pk_deliveries" in last, last
    assert "ix_deliveries_queue_nudge_at" not in last


@pytest.mark.parametrize("name", DELIVERY_STATEMENTS)
def test_plans_made_on_empty_tables_use_indexes(filled: Connection, name: str) -> None:
    """A new system plans its statements before it has rows, and keeps these plans until the first ANALYZE."""
    with filled.begin() as transaction:
        made = statements_of(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        # As the role's connections begin.
        filled.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT; TRUNCATE events CASCADE")
        planned = [node for statement, _parameters in made for node in plan_as_sent(filled, statement)]
        transaction.rollback()
    assert_looked_up(planned)


def assert_looked_up(planned: Iterable[dict[str, Any]]) -> None:
    of_tables = [node for node in planned if node.get("Relation Name") in ("deliveries", "events")]
    scans = [node for node in of_tables if "Scan" in node["Node Type"]]
    assert scans
    for scan in scans:
        assert scan.get("Index Cond") or scan.get("Recheck Cond") or scan.get("TID Cond"), scan


@pytest.mark.parametrize("name", ["claim_batch", "claim", "claim_leased"])
def test_a_claim_planned_with_few_events_reads_its_own(filled: Connection, name: str) -> None:
    """It is kept while thousands are written, until the next ANALYZE."""
    with filled.begin() as transaction:
        with without_guards(filled):
            filled.exec_driver_sql("TRUNCATE events CASCADE")
            filled.exec_driver_sql(_FILL.format(done=1_000, pending=1_000))
        filled.exec_driver_sql("ANALYZE events, deliveries")
        made = statements_of(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        planned = [node for statement, _parameters in made for node in plan_as_sent(filled, statement)]
        transaction.rollback()
    assert_looked_up(planned)


def test_single_rows_are_found_by_their_key_in_plans_made_on_empty_tables(filled: Connection, engine: Engine) -> None:
    """Not by a walk through an index of all drafts, which costs as little as long as there are none."""
    changes = [*BOOKING_MACHINE.statements.values(), *SESSION_MACHINE.statements.values(), DRAFT, ACCEPTED]
    with filled.begin() as transaction:
        filled.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT; TRUNCATE users, events CASCADE")
        statements: list[ClauseElement | PreparedStatement] = [*changes, *STATEMENTS.values()]
        statements += subject_statements(engine)
        planned = [node for statement in statements for node in plan_of(filled, statement)]
        transaction.rollback()
    scans = [node for node in planned if NAMING.search(node.get("Filter", ""))]
    assert scans
    for scan in scans:
        assert scan.get("Index Cond") or scan.get("Recheck Cond") or "CTE" in scan["Node Type"], scan


def test_held_mails_are_found_by_an_index_of_theirs(filled: Connection) -> None:
    """Not by a walk through all notifications, where the statistics are about rows that are gone."""
    with filled.begin() as transaction:
        with without_guards(filled):
            filled.exec_driver_sql(_EMPTIED_SYSTEM)
        filled.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT")
        (made,) = statements_of(filled, lambda: DELIVERY_STATEMENTS["gathered"](filled))
        scans = [node for node in plan_as_sent(filled, made[0]) if "Relation Name" in node]
        transaction.rollback()
    found = {scan["Relation Name"]: scan["Index Name"] for scan in scans}
    assert found == {
        "notifications": "ix_notifications_gathered",
        "deliveries": "pk_deliveries",
        "events": "pk_events",
    }


@pytest.mark.parametrize("name", ["overdue", "overdue, empty list"])
def test_the_sweep_reads_the_index_of_what_is_pending(filled: Connection, name: str) -> None:
    """Also while so much is pending that a page of it seems to be found soon anywhere."""
    with filled.begin() as transaction:
        with without_guards(filled):
            filled.exec_driver_sql("UPDATE deliveries SET state = 'pending', done_at = NULL, queue = 'notifications'")
        filled.exec_driver_sql("ANALYZE deliveries")
        made = statements_of(filled, lambda: DELIVERY_STATEMENTS[name](filled))
        scans = [node for node in plan_as_sent(filled, made[0][0]) if node.get("Relation Name") == "deliveries"]
        transaction.rollback()
    assert "pk_deliveries" not in {scan.get("Index Name") for scan in scans}, scans
