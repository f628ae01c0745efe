"""Tests of batches: many deliveries in one transaction, and no trouble of one of them is another's."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Barrier, Event, Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from models.engine import create
from models.events import deliveries, delivery_attempts, events
from models.sqlstates import DEADLOCK
from tests.eventually import eventually
from tests.factories import OPERATOR, accept_booking, make_booking, make_listing, make_mentor, make_user
from tests.integration.harness import Harness, counted_statements, without_guards
from tests.integration.test_record import an_event, private
from tests.queries import execute, scalar, scalars
from workers.runner import LEASE, MAX_BATCH, DeliveryRunner, Positions
from workflows.events import claim, settle
from workflows.events.delivery import Cancel, DeliveryKey, DeliveryStatus, Retry, RetryPolicy
from workflows.events.event_types import SessionCompleted, SessionStarted
from workflows.events.record import defer_write, record
from workflows.events.rows import ALWAYS
from workflows.events.status import status_query
from workflows.events.subscriptions import Effect
from workflows.kernel.errors import Conflict
from workflows.operators.deliveries import cancel_delivery

EFFECT = "batches.count"
POLICY = RetryPolicy((60, 60, 60), jitter=0)
PROCESS_SECONDS = 30
A_WORKER = "a-worker"
# At the commit.
SERIALIZATION_FAILURE = """
CREATE OR REPLACE FUNCTION fail_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {condition} THEN
        RAISE EXCEPTION 'lost' USING ERRCODE = '40001';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fail_commit AFTER INSERT ON runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fail_commit();
"""
SEVERAL_RUNS = "(SELECT count(*) FROM runs WHERE xmin = pg_current_xact_id()::xid) > 1"


def no_trouble(_db: Connection) -> None:
    """What most deliveries of a batch do besides."""


@dataclass
class Counting:
    """An effect that notes each run in the database, records an event, and causes the trouble that is asked for."""

    trouble: dict[UUID, Callable[[Connection], None]] = field(default_factory=dict)

    def __call__(self, db: Connection, event: SessionCompleted, *, now: datetime) -> None:
        db.execute(text("INSERT INTO runs VALUES (:event_id)"), {"event_id": event.id})
        record(db, SessionStarted(actor="system", occurred_at=now, **_fields(event)))
        self.trouble.get(event.id, no_trouble)(db)


def _fields(event: SessionCompleted) -> dict[str, Any]:
    names = ("session_id", "booking_id", "mentor_profile_id", "mentee_user_id", "status", "start_time", "end_time")
    return {name: getattr(event, name) for name in names} | {"version": event.version}


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def batch_harness(engine: Engine, counting: Counting) -> Harness:
    """A harness in which that effect follows from completed sessions, and which drains its queues."""
    with engine.begin() as db:
        db.execute(text("DROP TABLE IF EXISTS runs"))
        db.execute(text("CREATE TABLE runs (event_id uuid NOT NULL)"))
    effect = Effect(name=EFFECT, queue="reviews", event=SessionCompleted, run=counting, policy=POLICY)
    # However slow this machine is.
    return Harness(engine, private(effect), batch_seconds=60.0)


def recorded(harness: Harness, count: int) -> list[DeliveryKey]:
    """So many deliveries of the effect, in the order of their events."""
    made = [an_event() for _ in range(count)]
    with harness.transactions() as db:
        for event in made:
            record(db, event)
    return [DeliveryKey(event_id=event.id, effect=EFFECT) for event in made]


def runs(harness: Harness) -> Counter[UUID]:
    return Counter(scalars(harness.engine, text("SELECT event_id FROM runs")).all())


def states(harness: Harness, keys: Sequence[DeliveryKey]) -> Counter[str]:
    return Counter(harness.row(key).state.value for key in keys)


def started(harness: Harness) -> int:
    return scalar(harness.engine, select(func.count()).where(events.c.type == SessionStarted.type)) or 0


def test_fifty_deliveries_are_claimed_and_settled_together(batch_harness: Harness) -> None:
    keys = recorded(batch_harness, MAX_BATCH)
    with counted_statements(batch_harness.engine) as statements:
        batch_harness.deliverer.deliver(*keys)
    assert states(batch_harness, keys) == {"done": MAX_BATCH}
    assert runs(batch_harness) == dict.fromkeys((key.event_id for key in keys), 1)
    claims = [each for each in statements if each.lstrip().startswith("WITH named")]
    assert len(claims) == 1
    # Of each delivery: its savepoint, the statement and the event of the effect, and the savepoint's release.
    assert len(statements) == 4 * MAX_BATCH + 2 * len(claims)


def test_a_wakeup_for_one_takes_along_what_else_is_due(batch_harness: Harness) -> None:
    keys = recorded(batch_harness, 10)
    with capture_logs() as lines:
        batch_harness.deliverer.deliver(keys[3])
    assert states(batch_harness, keys) == {"done": 10}
    beyond = {line["event_id"] for line in lines if line.get("beyond_wakeup")}
    assert beyond == {key.event_id for key in keys} - {keys[3].event_id}


def test_rows_that_another_worker_holds_are_left_to_it(batch_harness: Harness) -> None:
    keys = recorded(batch_harness, 10)
    with batch_harness.engine.begin() as other:
        other.execute(select(deliveries).where(deliveries.c.event_id == keys[0].event_id).with_for_update())
        batch_harness.deliverer.deliver(*keys)
    assert states(batch_harness, keys) == {"done": 9, "pending": 1}


def test_deferred_writes_of_a_batch_are_one_call(batch_harness: Harness, counting: Counting) -> None:
    calls: list[list[str]] = []

    def write(_db: Connection, items: list[str]) -> None:
        calls.append(items)

    def defer(db: Connection) -> None:
        defer_write(db, write, "one")

    def defer_and_fail(db: Connection) -> None:
        defer_write(db, write, "undone")
        raise RuntimeError("after it was deferred")

    keys = recorded(batch_harness, 3)
    counting.trouble = {keys[0].event_id: defer, keys[1].event_id: defer_and_fail, keys[2].event_id: defer}
    batch_harness.deliverer.deliver(*keys)
    assert calls == [["one", "one"]]


def test_a_deadlock_runs_each_alone_and_the_victim_last(batch_harness: Harness, counting: Counting) -> None:
    order: list[UUID] = []
    failed: list[UUID] = []
    keys = recorded(batch_harness, 5)

    def note(event_id: UUID) -> Callable[[Connection], None]:
        return lambda _db: order.append(event_id)

    def deadlock(db: Connection) -> None:
        order.append(keys[2].event_id)
        if not failed:
            failed.append(keys[2].event_id)
            db.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END $$")

    counting.trouble = {key.event_id: note(key.event_id) for key in keys} | {keys[2].event_id: deadlock}
    batch_harness.deliverer.deliver(*keys)
    assert states(batch_harness, keys) == {"done": 5}
    assert order[-5:] == [key.event_id for key in (*keys[:2], *keys[3:], keys[2])]
    assert set(runs(batch_harness).values()) == {1}
    assert started(batch_harness) == 5


def test_a_commit_that_fails_runs_each_alone(batch_harness: Harness) -> None:
    keys = recorded(batch_harness, 3)
    with batch_harness.engine.begin() as db:
        db.exec_driver_sql(SERIALIZATION_FAILURE.format(condition=SEVERAL_RUNS))
    batch_harness.deliverer.deliver(keys[0])
    assert states(batch_harness, keys) == {"done": 3}
    assert runs(batch_harness) == dict.fromkeys((key.event_id for key in keys), 1)
    assert started(batch_harness) == 3


def test_a_commit_that_fails_alone_is_raised_and_tried_again_later(batch_harness: Harness) -> None:
    keys = recorded(batch_harness, 1)
    with batch_harness.engine.begin() as db:
        db.exec_driver_sql(SERIALIZATION_FAILURE.format(condition="true"))
    with pytest.raises(OperationalError):
        batch_harness.deliverer.deliver(*keys)
    assert (states(batch_harness, keys), runs(batch_harness)) == ({"pending": 1}, {})


def test_a_batch_whose_time_is_up_is_followed_by_another(batch_harness: Harness) -> None:
    keys = recorded(batch_harness, 4)
    at_once = DeliveryRunner(batch_harness.transactions, batch_harness.effects, {}, batch_seconds=0)
    at_once.deliver(*keys)
    assert states(batch_harness, keys) == {"done": 4}
    ended = scalars(batch_harness.engine, select(deliveries.c.done_at).where(deliveries.c.effect == EFFECT)).all()
    assert len(set(ended)) == 4, "a transaction each"


def test_rows_named_before_are_leased_before_they_run(batch_harness: Harness) -> None:
    keys = recorded(batch_harness, 3)
    execute(batch_harness.engine, update(deliveries).values(nudges=1))
    batch_harness.deliverer.deliver(*keys)
    for key in keys:
        row = batch_harness.row(key)
        assert (row.state, row.attempts, row.lease_until) == ("done", 1, None)


def test_an_operator_is_refused_while_a_batch_holds_the_row(batch_harness: Harness, counting: Counting) -> None:
    (key,) = recorded(batch_harness, 1)
    running, seen = Event(), Event()

    def wait(_db: Connection) -> None:
        running.set()
        assert seen.wait(10)

    counting.trouble = {key.event_id: wait}
    worker = Thread(target=batch_harness.deliverer.deliver, args=(key,))
    worker.start()
    assert running.wait(10)
    with batch_harness.engine.begin() as db:
        delivery = DeliveryStatus.of(db.execute(status_query(batch_harness.row(key).id)).one())
        with pytest.raises(Conflict) as refused:
            cancel_delivery(db, actor=OPERATOR, delivery=delivery, now=datetime.now(tz=None).astimezone())
        db.rollback()
    seen.set()
    worker.join()
    assert refused.value.code == "delivery_in_progress"
    assert batch_harness.row(key).state == "done"


def _deliver_in_a_process(harness: Harness, keys: Sequence[DeliveryKey]) -> int | None:
    """Run a worker of its own, and return how it ended."""
    address = harness.engine.url.render_as_string(hide_password=False)

    def work() -> None:
        own = create(address, pool_size=2, name=A_WORKER)
        harness.engine = own
        harness.transactions.engine = own
        harness.deliverer.deliver(*keys)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(PROCESS_SECONDS)
    assert process.exitcode is not None, "the worker hangs"
    # PostgreSQL ends the sessions of a killed process, and lets its locks go, a moment later.
    sessions = text(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name AND datname = current_database()"
    )

    def has_gone() -> bool:
        return not scalars(harness.engine, sessions, {"name": A_WORKER}).one()

    eventually(has_gone, "the end of the worker's sessions")
    return process.exitcode


def test_fifty_of_which_six_cause_trouble_end_as_each_should(batch_harness: Harness, counting: Counting) -> None:
    """One raises, one cancels, one retries, one kills its process, one waits for a lock, one is cancelled meanwhile."""
    harness = batch_harness
    keys = recorded(harness, MAX_BATCH)
    raises, cancels, retries, kills, waits, is_cancelled = keys[5], keys[12], keys[20], keys[27], keys[33], keys[40]
    with harness.engine.begin() as db:
        locked = make_user(db).id

    def fail(_db: Connection) -> None:
        raise RuntimeError("no luck")

    def cancel(_db: Connection) -> None:
        raise Cancel("It has lost its point.")

    def retry(_db: Connection) -> None:
        raise Retry(timedelta(minutes=5), "Not yet.")

    def kill(_db: Connection) -> None:
        os._exit(9)

    def wait(db: Connection) -> None:
        db.execute(text("SELECT 1 FROM users WHERE id = :id FOR UPDATE"), {"id": locked})

    troubles = [(raises, fail), (cancels, cancel), (retries, retry), (kills, kill), (waits, wait)]
    counting.trouble = {key.event_id: trouble for key, trouble in troubles}
    ends = []
    with harness.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM users WHERE id = :id FOR UPDATE"), {"id": locked})
        ends.append(_deliver_in_a_process(harness, keys))
        holder.rollback()
    assert kills.event_id not in runs(harness)
    with harness.engine.begin() as db:
        row = harness.row(is_cancelled)
        delivery = DeliveryStatus.of(db.execute(status_query(row.id)).one())
        cancel_delivery(db, actor=OPERATOR, delivery=delivery, now=row.now)
    for _ in range(8):
        _sweep(harness)
        ends.append(_deliver_in_a_process(harness, keys))
        if ends[-1] == 0 and harness.row(kills).state == "dead":
            break
    assert ends[-1] == 0
    ended = {key: harness.row(key).state for key in (raises, cancels, retries, kills, waits, is_cancelled)}
    assert ended == {
        raises: "pending",
        cancels: "cancelled",
        retries: "pending",
        kills: "dead",
        waits: "done",
        is_cancelled: "cancelled",
    }
    others = [key for key in keys if key not in ended or key == waits]
    assert states(harness, others) == {"done": MAX_BATCH - 5}
    assert runs(harness) == dict.fromkeys((key.event_id for key in others), 1)
    assert started(harness) == len(others)
    attempts = execute(harness.engine, select(delivery_attempts.c.event_id, delivery_attempts.c.outcome)).all()
    assert sorted((each.event_id, each.outcome) for each in attempts) == sorted(
        [
            (raises.event_id, "retry"),
            (cancels.event_id, "cancelled"),
            (retries.event_id, "retry"),
            (kills.event_id, "dead"),
        ]
    )


def _sweep(harness: Harness) -> None:
    """As if leases had run out and the sweep had called for what is due."""
    with harness.engine.begin() as db, without_guards(db):
        db.execute(
            update(deliveries)
            .where(deliveries.c.state == "pending", deliveries.c.due_at <= func.now())
            .values(nudges=deliveries.c.nudges + 1, lease_until=deliveries.c.lease_until - LEASE)
        )


def test_two_batches_over_the_same_mentors_never_deadlock(engine: Engine) -> None:
    harness = Harness(engine)
    with engine.begin() as db:
        listings = [make_listing(db, make_mentor(db)) for _ in range(2)]
        mentee = make_user(db)
    with capture_logs() as lines:
        for number in range(100):
            with harness.transactions() as db:
                for listing in listings:
                    accept_booking(db, make_booking(db, listing=listing, mentee=mentee))
            for queue in ("sessions", "analytics", "notifications") if number % 10 == 0 else ("analytics",):
                _deliver_by_two_workers(harness, queue)
    assert [line for line in lines if line.get("sqlstate") == DEADLOCK or line["event"] == "delivery.retry"] == []
    with engine.connect() as db:
        states = Counter(db.scalars(select(deliveries.c.effect).where(deliveries.c.state == "dead")))
        assert states == {}


def _deliver_by_two_workers(harness: Harness, queue: str) -> None:
    """Both are woken up for the same deliveries, one of them in the reverse order."""
    due = execute(
        harness.engine,
        select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).where(
            deliveries.c.queue == queue,
            deliveries.c.state == "pending",
            deliveries.c.due_at <= func.now(),
            deliveries.c.effect.not_in(["mail.send", "push.send", "channels.send", "webhooks.send"]),
        ),
    ).all()
    keys = [DeliveryKey(**row._mapping) for row in due]
    halves = [keys[::2], keys[1::2][::-1]]
    together = Barrier(2)

    def work(half: Sequence[DeliveryKey]) -> None:
        together.wait(10)
        harness.deliverer.deliver(*half)

    workers = [Thread(target=work, args=(half,)) for half in halves]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_a_claim_takes_only_the_effects_asked_for(harness: Harness) -> None:
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    with harness.engine.connect() as db:
        claimed = claim.claim(db, [], shared={"notifications.booking_accepted": ALWAYS}, limit=50, batch=True)
    assert {delivery.key.effect for delivery in claimed} == {"notifications.booking_accepted"}


def next_batch(db: Connection, positions: Positions) -> int:
    """Do the next deliveries of a backlog; returns how many entries of their index were read to find them."""
    read = text("SELECT pg_stat_get_xact_tuples_returned(CAST('ix_deliveries_effect_due_at' AS regclass))")
    before: int = db.execute(read).scalar_one()
    claimed = claim.claim(db, [], shared=positions.begin(), limit=MAX_BATCH, batch=True)
    positions.move(claimed)
    found: int = db.execute(read).scalar_one()
    assert settle.mark_done(db, claimed) == MAX_BATCH
    return found - before


def test_a_backlog_is_read_once_beside_an_old_snapshot(batch_harness: Harness) -> None:
    for _batch in range(6):
        recorded(batch_harness, MAX_BATCH)
    # No search begins at the beginning again meanwhile, however slow the machine is.
    positions = Positions([EFFECT], seconds=600)
    with batch_harness.engine.connect() as old:
        old.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        old.execute(select(func.count()).select_from(deliveries))
        for _batch in range(6):
            with batch_harness.engine.begin() as db:
                # One batch that was just done may be passed, not all of them.
                assert MAX_BATCH <= next_batch(db, positions) <= 3 * MAX_BATCH


def test_a_position_ends_and_what_it_left_out_is_found(batch_harness: Harness) -> None:
    late, *keys = recorded(batch_harness, 3)
    batch_harness.make_due(late)
    for seconds, expected in ((60, set(keys)), (0, {late, *keys})):
        positions = Positions([EFFECT], seconds)
        with batch_harness.engine.connect() as db:
            row = batch_harness.row(keys[0])
            claimed = claim.claim(db, [], shared={EFFECT: row.due_at}, limit=MAX_BATCH)
            positions.begin()
            positions.move(claimed)
            assert {each.key for each in claimed} == set(keys)
            db.rollback()
            again = claim.claim(db, [], shared=positions.begin(), limit=MAX_BATCH)
        assert {each.key for each in again} == expected


def test_a_deferred_write_that_fails_fails_its_own_effect(batch_harness: Harness, counting: Counting) -> None:
    keys = recorded(batch_harness, 3)
    written: list[UUID] = []

    def write(_db: Connection, items: list[UUID]) -> None:
        if keys[1].event_id in items:
            raise ValueError("no words for this")
        written.extend(items)

    def defer(event_id: UUID) -> Callable[[Connection], None]:
        return lambda db: defer_write(db, write, event_id)

    counting.trouble = {key.event_id: defer(key.event_id) for key in keys}
    batch_harness.deliverer.deliver(*keys)
    assert set(written) == {keys[0].event_id, keys[2].event_id}
    assert states(batch_harness, keys) == {"done": 2, "pending": 1}
    assert batch_harness.row(keys[1]).last_error == "ValueError: no words for this"
    assert set(runs(batch_harness)) == {keys[0].event_id, keys[2].event_id}


def test_what_defers_all_that_it_writes_needs_no_savepoint(engine: Engine) -> None:
    def run(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
        del now
        defer_write(db, lambda _db, _items: None, event.id)

    effect = Effect(name=EFFECT, queue="reviews", event=SessionCompleted, run=run, policy=POLICY, deferred=True)
    harness = Harness(engine, private(effect))
    keys = recorded(harness, 5)
    with counted_statements(engine) as statements:
        harness.deliverer.deliver(*keys)
    assert states(harness, keys) == {"done": 5}
    assert not [each for each in statements if "SAVEPOINT" in each]
