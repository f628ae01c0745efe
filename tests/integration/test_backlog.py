"""Tests of what is still owed, as maintain finds it: by queue and by effect, with what is due and nothing else."""

from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from models.engine import driver_of
from tests import factories
from tests.integration.harness import Harness
from tests.scraping import Figures
from workers.maintain import CHORES, maintain
from workflows.events import QUEUES
from workflows.events.sweep import _BACKLOG, backlogs, dead_by_effect, oldest_undelivered
from workflows.invariants import queries


@pytest.fixture
def owing(harness: Harness) -> Harness:
    with harness.transactions() as db:
        factories.accept_booking(db, factories.make_booking(db))
    return harness


def due(harness: Harness) -> dict[str, int]:
    with harness.engine.connect() as db:
        return {found.queue: found.due for found in backlogs(db, QUEUES)}


def age(harness: Harness, queue: str) -> timedelta:
    with harness.engine.connect() as db:
        return next(found.oldest for found in backlogs(db, QUEUES) if found.queue == queue)


def test_every_queue_is_reported_and_an_empty_one_owes_nothing(harness: Harness) -> None:
    assert due(harness) == dict.fromkeys(QUEUES, 0)
    assert {age(harness, queue) for queue in QUEUES} == {timedelta()}


def test_only_what_is_due_and_pending_counts(owing: Harness) -> None:
    before = due(owing)["sessions"]
    key = owing.key("sessions.create")
    owing.change(key, due_at=text("now() - interval '1 hour'"), nudge_at=text("now() + interval '30 seconds'"))
    assert due(owing)["sessions"] == before
    assert timedelta(hours=1) <= age(owing, "sessions") < timedelta(hours=1, minutes=5)
    # A timer that is due tomorrow is no backlog.
    owing.change(key, due_at=text("now() + interval '1 day'"), nudge_at=text("now() + interval '1 day'"))
    assert due(owing)["sessions"] == before - 1
    owing.change(key, due_at=text("now()"), nudge_at=text("now()"))
    owing.deliver("sessions.create")
    assert due(owing)["sessions"] == before - 1


def test_postponing_does_not_make_a_delivery_younger(owing: Harness) -> None:
    before = due(owing)["sessions"]
    key = owing.key("sessions.create")
    soon = text("now() + interval '30 seconds'")
    long_ago = text("now() - interval '1 hour'")
    owing.change(key, due_at=soon, nudge_at=soon, put_off_until=soon, created_at=long_ago)
    assert due(owing)["sessions"] == before - 1, "nothing is unavailable: there were many at once"
    owing.change(key, last_error="The mail server is away.")
    assert due(owing)["sessions"] == before
    assert timedelta(hours=1) <= age(owing, "sessions") < timedelta(hours=1, minutes=5)
    # While it is tried again, too.
    owing.change(key, attempts=1, lease_until=soon)
    assert timedelta(hours=1) <= age(owing, "sessions") < timedelta(hours=1, minutes=5)
    # Since an attempt was made its own pauses count.
    owing.change(key, attempts=1, lease_until=None, due_at=text("now()"))
    assert age(owing, "sessions") < timedelta(minutes=5)


def test_a_leased_one_is_still_owed(owing: Harness) -> None:
    before = due(owing)["sessions"]
    lease = text("now() + interval '45 seconds'")
    owing.change(owing.key("sessions.create"), lease_until=lease, nudge_at=lease)
    assert due(owing)["sessions"] == before


def test_a_count_has_an_end(owing: Harness) -> None:
    assert sum(due(owing).values()) > 1
    with owing.engine.connect() as db:
        assert max(found.due for found in backlogs(db, QUEUES, limit=1)) == 1


def test_the_statement_reads_the_index_of_what_is_pending(owing: Harness) -> None:
    with owing.engine.begin() as db:
        db.execute(text("SET LOCAL enable_seqscan = off"))
        plan = db.execute(text(f"EXPLAIN {_BACKLOG}"), {"queues": list(QUEUES), "limit": 9}).scalars().all()
    assert any("ix_deliveries_queue_nudge_at" in line for line in plan), plan
    assert not any("Seq Scan on deliveries" in line for line in plan), plan


def test_maintain_tells_the_figures_and_takes_them_back(owing: Harness) -> None:
    owing.change(owing.key("sessions.create"), state="dead")
    assert maintain(owing.transactions)
    figures = Figures.here()
    dead = "tutelage_deliveries_dead"
    assert figures.total(dead, queue="sessions", effect="sessions.create") == figures.total(dead) == 1
    assert figures.total("tutelage_invariant_violations", invariant="dead_delivery") == 1
    assert figures.values("invariant") == set(queries())
    with owing.engine.connect() as db:
        assert dead_by_effect(db, ["sessions.create", "reviews.unlock"]) == {"sessions.create": 1}
        assert dead_by_effect(db, ["sessions.create"], limit=0) == {}
    owing.change(owing.key("sessions.create"), state="pending")
    assert maintain(owing.transactions)
    assert Figures.here().total(dead) == 0
    assert Figures.here().total("tutelage_invariant_violations", invariant="dead_delivery") == 0
    assert Figures.here().total("tutelage_deliveries_due", queue="sessions") == due(owing)["sessions"]


def lose_connection(db: Connection) -> bool:
    """A failover, and the statement after the one that it surprises."""
    with psycopg.connect(db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [driver_of(db).info.backend_pid])
    with suppress(OperationalError):
        db.execute(text("SELECT 1"))
    db.execute(text("SELECT 1"))
    return False


def test_a_failover_is_a_warning_in_one_line(owing: Harness) -> None:
    with capture_logs() as lines:
        assert not maintain(owing.transactions, {"first": lose_connection})
    assert [(line["event"], line["log_level"], "exc_info" in line) for line in lines] == [
        ("maintain.database_unavailable", "warning", False)
    ]
    # The connection is replaced.
    assert maintain(owing.transactions, {"first": lambda db: bool(db.scalar(text("SELECT false")))})


def test_one_chores_failure_is_counted_and_not_the_next_ones(owing: Harness) -> None:
    def fail(_db: object) -> bool:
        raise ValueError("for the test")

    owing.change(owing.key("sessions.create"), state="dead")
    before = Figures.here()
    with capture_logs() as lines:
        assert not maintain(owing.transactions, {"first": fail, **CHORES})
    assert [line["event"] for line in lines] == ["maintain.trouble", "invariant.violated"]
    grown = Figures.here().since(before)
    assert grown.total("tutelage_maintain_chores_total", chore="first", outcome="trouble") == 1
    assert grown.total("tutelage_maintain_chores_total", outcome="ok") == len(CHORES)


def undelivered(harness: Harness) -> timedelta:
    with harness.engine.connect() as db:
        return oldest_undelivered(db, QUEUES, ["mail.send"])["notifications"]


def test_a_postponed_message_is_undelivered_since_it_was_recorded(owing: Harness) -> None:
    owing.run_all()
    assert undelivered(owing) == timedelta()
    with owing.transactions() as db:
        factories.make_booking(db)
    with owing.engine.connect() as db:
        event_id = db.scalar(text("SELECT id FROM events WHERE type = 'booking.requested' ORDER BY id DESC LIMIT 1"))
    owing.deliver("notifications.booking_requested", event_id)
    key = owing.key("mail.send", event_id)
    owing.change(key, created_at=text("now() - interval '6 hours'"))
    # Due in a moment, as after each postponement.
    soon = text("now() + interval '20 seconds'")
    owing.change(key, due_at=soon, nudge_at=soon, put_off_until=soon)
    assert timedelta(hours=6) <= undelivered(owing) < timedelta(hours=6, minutes=5)
    # A message that is not to leave yet is not late.
    owing.change(key, put_off_until=None)
    assert undelivered(owing) == timedelta()
