"""Tests of endpoints beside one with a long backlog: it delays none of the others, and costs little itself."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from infrastructure.transactions import Transactions
from infrastructure.wakeups import Publisher, messages
from tests.eventually import eventually
from tests.factories import make_webhook
from tests.integration.endpoints import YES, an_event, listening
from tests.integration.harness import Harness, without_guards
from workers.outbound import Route, SenderPool
from workers.runner import DeliveryRunner
from workers.sweep import Sweep
from workers.transports.protection import Protected, Shares
from workflows.effects.webhooks import SEND_WEBHOOK
from workflows.events.delivery import DeliveryKey, SendResult
from workflows.events.record import Wakeup, record
from workflows.events.subscriptions import load

BACKLOG = 100_000
RATE = 40
SECONDS = 6
THREADS, SENDERS = 8, 32

_BACKLOG = """
WITH made AS (
    INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
    SELECT gen_random_uuid(), type, subject_type, subject_id, actor, data, occurred_at
    FROM events CROSS JOIN generate_series(1, :count) WHERE id = :event_id RETURNING id
)
INSERT INTO deliveries (event_id, effect, target, endpoint_id, id, queue, due_at, nudge_at)
SELECT id, 'webhooks.send', CAST(CAST(:endpoint_id AS uuid) AS text), :endpoint_id, gen_random_uuid(), 'webhooks',
       now(), now() + interval '2 seconds'
FROM made
"""
_ONE_DUE = """
SELECT event_id, effect, target FROM deliveries
WHERE effect = 'webhooks.send' AND state = 'pending' AND due_at <= now() AND lease_until IS NULL LIMIT 1
"""
# Every update of a row, kept for the test.
_COUNTED = """
CREATE UNLOGGED TABLE IF NOT EXISTS updates_of_deliveries (event_id uuid, target text);
CREATE OR REPLACE FUNCTION count_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO updates_of_deliveries VALUES (NEW.event_id, NEW.target);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER count_update AFTER UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION count_update();
"""
_NOT_COUNTED = "DROP TRIGGER count_update ON deliveries; DROP FUNCTION count_update; DROP TABLE updates_of_deliveries"


@contextmanager
def counted_updates(engine: Engine) -> Iterator[None]:
    with engine.begin() as db:
        db.exec_driver_sql(_COUNTED)
    try:
        yield
    finally:
        with engine.begin() as db:
            db.exec_driver_sql(_NOT_COUNTED)


class Worker(Publisher):
    """A worker's threads, and the list of messages that they take: what Celery and Redis are in between."""

    def __init__(self, harness: Harness, answers: Any) -> None:
        harness.http.answers = answers
        protected = Protected(harness.http, Shares.of(SENDERS), destination=lambda message: message.endpoint_id)
        routes = {"http": Route(protected, SenderPool(SENDERS))}
        self.deliverer = DeliveryRunner(Transactions(harness.engine, self), load(), routes)
        self._threads = ThreadPoolExecutor(THREADS)
        self._lock, self._waiting = Lock(), 0

    def put(self, wakeups: Iterable[Wakeup]) -> None:
        self.publish([wakeup for wakeup in wakeups if wakeup.effect == SEND_WEBHOOK.name])

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        for message in messages(wakeups):
            keys = [DeliveryKey(event_id=each.event_id, effect=each.effect, target=each.target) for each in message]
            with self._lock:
                self._waiting += 1
            self._threads.submit(self._work, keys)

    def waiting(self, queue: str) -> int:
        return self._waiting if queue == "webhooks" else 0

    def _work(self, keys: Sequence[DeliveryKey]) -> None:
        with self._lock:
            self._waiting -= 1
        self.deliverer.deliver(*keys)

    def look(self, harness: Harness) -> None:
        """Name one of the messages that are due, as one of its wake-ups does."""
        with harness.engine.connect() as db:
            found = db.execute(text(_ONE_DUE)).one_or_none()
        if found is not None:
            self._threads.submit(self.deliverer.deliver, DeliveryKey(**found._mapping))

    def stop(self) -> None:
        self._threads.shutdown(cancel_futures=True)


def pile_up(harness: Harness, endpoint_id: UUID, count: int = BACKLOG) -> None:
    """So many messages to an endpoint, due now."""
    event = an_event()
    with harness.engine.begin() as db, without_guards(db):
        record(db, event)
        for _ in range(20):
            db.execute(text(_BACKLOG), {"count": count // 20, "event_id": event.id, "endpoint_id": endpoint_id})
        db.execute(text("DELETE FROM deliveries WHERE event_id = :id"), {"id": event.id})
    with harness.engine.connect() as db:
        db.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE deliveries"))


def swept(harness: Harness, worker: Worker, stop: Event) -> Thread:
    """A sweep over the queue of webhooks, once a second."""
    sweep = Sweep(harness.engine, worker)

    def run() -> None:
        while not stop.wait(1.0):
            sweep.once()

    thread = Thread(target=run)
    thread.start()
    return thread


def latencies(
    harness: Harness, worker: Worker, healthy: Sequence[UUID], arrived: dict[UUID, float], seconds: float
) -> list[float]:
    """How long messages to these endpoints take, recorded one after the other for so long; the longest one last."""
    recorded: dict[UUID, float] = {}
    pause, until = Event(), monotonic() + seconds
    transactions = Transactions(harness.engine, worker)
    while monotonic() < until:
        for endpoint_id in healthy:
            event = an_event()
            with transactions() as db:
                record(db, event)
                make_webhook(db, event, endpoint_id)
            recorded[event.id] = monotonic()
            pause.wait(0.01)
    late = monotonic() + 20
    while not recorded.keys() <= arrived.keys() and monotonic() < late:
        pause.wait(0.05)
    return sorted(arrived.get(event_id, math.inf) - began for event_id, began in recorded.items())


_TURNLESS = "SELECT count(*) FROM deliveries WHERE effect = 'webhooks.send' AND state = 'pending' AND turn_rate IS NULL"
_UPDATES = """
SELECT times, count(*) FROM (
    SELECT count(*) AS times FROM updates_of_deliveries u JOIN deliveries d USING (event_id, target)
    WHERE d.effect = 'webhooks.send' AND d.endpoint_id = :id AND d.state = 'done' GROUP BY event_id
) AS each GROUP BY times ORDER BY times
"""


def test_a_backlog_of_one_endpoint_delays_no_other(harness: Harness) -> None:
    """Nine endpoints alone, and then beside one with a rate limit and 100,000 messages that wait for it."""
    capped = listening(harness, rate_limit=RATE, event_types=["none"])
    healthy = [listening(harness, f"https://healthy.example/{number}", event_types=["none"]) for number in range(9)]
    arrived: dict[UUID, float] = {}
    turns: list[float] = []

    def answer(message: Any) -> SendResult:
        if message.endpoint_id == capped:
            turns.append(monotonic())
        else:
            arrived[message.webhook_id] = monotonic()
        return YES

    stop = Event()
    worker = Worker(harness, answer)
    with counted_updates(harness.engine):
        alone = latencies(harness, worker, healthy, arrived, SECONDS / 3)
        pile_up(harness, capped)
        worker.look(harness)
        # While it gets its turns, and afterwards.
        at_first = latencies(harness, worker, healthy, arrived, SECONDS / 3)
        eventually(lambda: all_have_turns(harness, worker), "turns for all", seconds=60)
        sweep = swept(harness, worker, stop)
        began, before = monotonic(), len(turns)
        beside = latencies(harness, worker, healthy, arrived, SECONDS)
        elapsed, sent = monotonic() - began, len(turns) - before
        stop.set()
        sweep.join()
        worker.stop()
        with harness.engine.connect() as db:
            updates = {row[0]: row[1] for row in db.execute(text(_UPDATES), {"id": capped})}
    for name, took in {"alone": alone, "at first": at_first, "beside": beside}.items():
        print(f"{name}: {len(took)} messages, p50 {took[len(took) // 2]:.3f} p95 {p95(took):.3f} max {took[-1]:.3f} s")
    print(f"{sent} of the backlog in {elapsed:.1f} s, messages by updates: {updates}")
    # As without it, however busy the machine is.
    assert p95(at_first) < max(0.5, 20 * p95(alone))
    assert p95(beside) < max(0.5, 3 * p95(alone))
    # No sooner than their turns; the last seconds' messages may still be on their way.
    assert RATE * (elapsed - 4) <= sent <= RATE * (elapsed + 3)
    assert sum(times * messages for times, messages in updates.items()) <= 3 * sum(updates.values())


def p95(took: Sequence[float]) -> float:
    return took[int(len(took) * 0.95)]


def all_have_turns(harness: Harness, worker: Worker) -> bool:
    worker.look(harness)
    with harness.engine.connect() as db:
        return not db.scalar(text(_TURNLESS))
