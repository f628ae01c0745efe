"""Tests of effects inside the database: with their delivery's end in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, select, text
from structlog.testing import capture_logs

from models.bookings import bookings
from models.engine import autocommit
from models.events import delivery_attempts
from models.sessions import sessions
from tests.concurrency.racing import WAITING
from tests.eventually import eventually
from tests.factories import accept_booking, make_booking, make_user
from tests.integration.harness import Harness
from tests.integration.test_record import an_event, nothing, private
from tests.queries import execute, scalar, scalars
from workflows.events.delivery import Cancel, DeliveryKey, Postpone, Retry, RetryPolicy
from workflows.events.event_types import SessionCompleted
from workflows.events.record import record
from workflows.events.subscriptions import Effect, Subscriptions, activate, load

Run = Callable[..., None]
WithEffect = Callable[..., tuple[Harness, DeliveryKey]]
SWIFT = RetryPolicy((60, 120), jitter=0)


@pytest.fixture
def with_effect(engine: Engine) -> WithEffect:
    """A harness in which one effect follows from a session's completion, and the delivery of it."""

    def build(run: Run, **of_effect: Any) -> tuple[Harness, DeliveryKey]:
        effect = Effect(name="tried", queue="reviews", event=SessionCompleted, run=run, policy=SWIFT, **of_effect)
        harness = Harness(engine, private(effect))
        with harness.transactions() as db:
            record(db, an_event())
        harness.wakeups.kept.clear()
        return harness, harness.key("tried") if not effect.targets else DeliveryKey(event_id=uuid4(), effect="tried")

    return build


def attempts(harness: Harness) -> list[Any]:
    return list(execute(harness.engine, select(delivery_attempts).order_by(delivery_attempts.c.attempt)))


def count(harness: Harness, table: str) -> int:
    return int(scalar(harness.engine, text(f"SELECT count(*) FROM {table}")) or 0)


def test_an_effect_commits_with_its_deliverys_end(with_effect: WithEffect) -> None:
    seen: list[datetime] = []

    def run(db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        make_user(db)
        seen.append(now)

    harness, key = with_effect(run)
    row = harness.delivered(key)
    assert (row.state, row.attempts, row.last_error, row.lease_until) == ("done", 1, None, None)
    assert row.done_at == seen[0], "the database's clock is the effect's"
    assert count(harness, "users") == 1
    harness.deliverer.deliver(key)
    assert count(harness, "users") == 1, "a second message finds nothing to do"


def test_what_an_effect_recorded_is_nudged_after_its_commit(with_effect: WithEffect) -> None:
    def run(db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        del now
        activate(load())
        make_booking(db)
        assert harness.wakeups.kept == []

    harness, key = with_effect(run)
    harness.deliverer.deliver(key)
    assert harness.wakeups.effects() == ["notifications.booking_requested"]


def test_a_failed_effect_leaves_an_attempt_and_a_pause_alone(with_effect: WithEffect) -> None:
    def run(db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        del now
        make_user(db)
        record(db, an_event())
        raise RuntimeError("the lamp is broken")

    harness, key = with_effect(run)
    row = harness.delivered(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 1, "RuntimeError: the lamp is broken")
    assert row.nudge_at == row.due_at
    assert timedelta(seconds=50) < row.due_at - row.now <= timedelta(seconds=60)
    assert [(each.attempt, each.outcome, each.error) for each in attempts(harness)] == [
        (1, "retry", "RuntimeError: the lamp is broken")
    ]
    assert (count(harness, "users"), count(harness, "events")) == (0, 1)
    assert harness.wakeups.kept == [], "what it recorded went with it"


def test_a_failure_is_logged_with_its_effect_event_and_actor(with_effect: WithEffect) -> None:
    def run(_db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        raise RuntimeError(f"broken at {now.year}")

    harness, key = with_effect(run)
    with capture_logs() as lines:
        harness.deliverer.deliver(key)
    (line,) = [line for line in lines if line["event"] == "delivery.retry"]
    assert (line["effect"], line["event_id"], line["attempt"]) == ("tried", key.event_id, 1)
    assert line["actor"] == "system"
    assert "session_id" in line


def test_a_database_error_fails_the_effect_alone(with_effect: WithEffect) -> None:
    harness, key = with_effect(lambda db, _event, *, now: db.execute(text("SELECT 1/0"), {"now": now}))
    row = harness.delivered(key)
    assert (row.state, row.attempts) == ("pending", 1)
    assert "division by zero" in row.last_error


def test_an_effect_without_attempts_left_is_dead(with_effect: WithEffect) -> None:
    def run(_db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        raise RuntimeError(f"still broken at {now.year}")

    harness, key = with_effect(run)
    for _ in range(SWIFT.attempts):
        assert harness.row(key).state == "pending"
        harness.delivered_again(key)
    row = harness.row(key)
    assert (row.state, row.attempts) == ("dead", 3)
    assert row.last_error.startswith("RuntimeError: still broken")
    assert [each.outcome for each in attempts(harness)] == ["retry", "retry", "dead"]
    harness.delivered_again(key)
    assert len(attempts(harness)) == 3, "kept as it is, until an operator retries it"


def test_an_effect_may_ask_for_its_own_pause(with_effect: WithEffect) -> None:
    def run(_db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        del now
        raise Retry(timedelta(hours=3), "the shop opens at nine")

    harness, key = with_effect(run)
    row = harness.delivered(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 1, "the shop opens at nine")
    assert timedelta(hours=2, minutes=59) < row.due_at - row.now <= timedelta(hours=3)
    for _ in range(SWIFT.attempts - 1):
        harness.make_due(key)
        harness.change(key, nudges=1)
        harness.deliverer.deliver(key)
    row = harness.row(key)
    assert (row.state, row.last_error) == ("dead", "the shop opens at nine"), "it counts as an attempt"


@pytest.mark.parametrize("nudges", [0, 1])
def test_an_effect_may_postpone_itself_without_an_attempt(with_effect: WithEffect, nudges: int) -> None:
    until = datetime(2100, 1, 1, tzinfo=UTC)

    def later(_db: Connection, _event: object, *, now: datetime) -> None:
        del now
        raise Postpone(until, "not yet")

    harness, key = with_effect(later)
    harness.change(key, nudges=nudges)
    row = harness.delivered(key)
    assert (row.state, row.attempts, row.due_at, row.lease_until) == ("pending", 0, until, None)


def test_a_cancelled_effect_keeps_the_reason(with_effect: WithEffect) -> None:
    def run(db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        del now
        make_user(db)
        raise Cancel("it is no longer wanted")

    harness, key = with_effect(run)
    row = harness.delivered(key)
    assert (row.state, row.last_error, row.done_at) == ("cancelled", "it is no longer wanted", None)
    assert [each.outcome for each in attempts(harness)] == ["cancelled"]
    assert count(harness, "users") == 0


def test_one_targets_failure_is_not_anothers(with_effect: WithEffect) -> None:
    def run(_db: Connection, _event: SessionCompleted, target: str, *, now: datetime) -> None:
        del now
        if target == "bad":
            raise RuntimeError("bad")

    harness, _key = with_effect(run, targets=lambda _event: ["good", "bad"])
    harness.run_all()
    assert harness.row(harness.key("tried", target="good")).state == "done"
    assert harness.row(harness.key("tried", target="bad")).state == "pending"


def test_a_timer_runs_when_it_is_due(with_effect: WithEffect) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    harness, key = with_effect(nothing, due=lambda _event: later)
    assert harness.row(key).due_at == later
    harness.deliverer.deliver(key)
    assert (harness.row(key).state, harness.row(key).attempts) == ("pending", 0)
    assert harness.delivered_again(key).state == "done"


class WorkerKilled(BaseException):
    """Ends a worker in the middle of what it does, past every `except Exception`."""


def kill(_db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
    raise WorkerKilled(now)


def test_a_crash_in_a_first_run_changes_nothing(with_effect: WithEffect) -> None:
    harness, key = with_effect(kill)
    before = harness.row(key)
    with pytest.raises(WorkerKilled):
        harness.deliverer.deliver(key)
    assert harness.row(key)[:-1] == before[:-1]


def test_what_kills_its_worker_again_and_again_ends_in_dead(with_effect: WithEffect) -> None:
    harness, key = with_effect(kill)
    for attempt in range(1, SWIFT.attempts + 1):
        # As the sweep leaves it: called for again, its lease over.
        harness.change(key, nudges=attempt, lease_until=None)
        with pytest.raises(WorkerKilled):
            harness.deliverer.deliver(key)
        row = harness.row(key)
        # Counted in a commit of its own, before the run.
        assert (row.state, row.attempts) == ("pending", attempt)
        assert row.lease_until > row.now
    harness.change(key, nudges=9, lease_until=None)
    row = harness.delivered(key)
    assert (row.state, row.last_error) == ("dead", "Its worker died during every attempt.")


def test_an_effect_whose_name_is_unknown_is_left_pending(engine: Engine, harness: Harness) -> None:
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    key = harness.key("sessions.create")
    Harness(engine, Subscriptions()).deliverer.deliver(key)
    row = harness.row(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 0, None)


def test_a_delivery_that_does_not_exist_is_ignored(harness: Harness) -> None:
    harness.deliverer.deliver(DeliveryKey(event_id=uuid4(), effect="sessions.create"))


def test_a_deadlock_is_tried_once_more_at_once(engine: Engine, with_effect: WithEffect) -> None:
    with engine.begin() as db:
        one, two = make_user(db).id, make_user(db).id
    lock = text("SELECT 1 FROM users WHERE id = :id FOR UPDATE")
    met = Barrier(2)
    runs: list[int] = []

    def run(db: Connection, _event: SessionCompleted, *, now: datetime) -> None:
        del now
        runs.append(len(runs))
        # The other side waits for longer, so that this one is the victim.
        db.exec_driver_sql("SET LOCAL deadlock_timeout = '10ms'")
        db.execute(lock, {"id": one})
        if len(runs) == 1:
            met.wait(5)
            # PostgreSQL looks for a deadlock once, when this one has waited for 10 ms.
            with autocommit(engine) as onlooker:
                eventually(lambda: onlooker.scalar(WAITING), "the other side, which waits")
        db.execute(lock, {"id": two})

    def other_side() -> None:
        with engine.begin() as db:
            db.exec_driver_sql("SET LOCAL deadlock_timeout = '4s'")
            db.execute(lock, {"id": two})
            met.wait(5)
            db.execute(lock, {"id": one})

    harness, key = with_effect(run)
    thread = Thread(target=other_side)
    thread.start()
    harness.deliverer.deliver(key)
    thread.join()
    row = harness.row(key)
    assert (len(runs), row.state, row.attempts) == (2, "done", 1)
    assert attempts(harness) == []


def test_a_session_that_is_there_already_is_taken_for_done(harness: Harness) -> None:
    with harness.transactions() as db:
        booking = accept_booking(db, make_booking(db))
    key = harness.deliver("sessions.create")
    # As if the delivery had been restored from an older backup than the session.
    harness.change(key, state="pending", done_at=None)
    assert harness.delivered(key).state == "done"
    assert scalars(harness.engine, select(sessions.c.id)).all() == [booking.session_id]


def test_a_draft_expires_when_its_time_has_come(harness: Harness) -> None:
    with harness.transactions() as db:
        booking = make_booking(db)
    key = harness.key("bookings.expire")
    assert harness.delivered(key).state == "pending"
    harness.delivered_again(key)
    row = execute(harness.engine, select(bookings).where(bookings.c.id == booking.id)).one()
    assert (row.status, row.cancel_reason) == ("cancelled", "expired")
    assert "notifications.booking_cancelled" in harness.wakeups.effects()


def test_a_draft_that_was_decided_does_not_expire(harness: Harness) -> None:
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    key = harness.key("bookings.expire")
    assert harness.delivered_again(key).state == "done"
    assert scalars(harness.engine, select(bookings.c.status)).all() == ["accepted"]
