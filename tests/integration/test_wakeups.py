"""Tests of the publisher thread: few messages while Valkey is there, and no caller ever waits while it is not."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Celery
from sqlalchemy.exc import OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.testing import capture_logs

import workers.worker  # noqa: F401 - it has the task
from cli.embedded import EmbeddedServer
from infrastructure.celery_app import app
from infrastructure.wakeups import (
    MAX_IN_BATCH,
    MAX_IN_MESSAGE,
    QUEUE_PAUSE_SECONDS,
    TASK,
    Publisher,
    WakeupQueue,
    argument,
)
from infrastructure.wakeups import messages as grouped
from tests.eventually import eventually
from tests.integration.test_sweep import messages
from workflows.events import QUEUES
from workflows.events.delivery import DeliveryKey
from workflows.events.record import Wakeup


def some_wakeups(
    count: int, *, queue: str = "reviews", target: str = "", effect: str = "reviews.unlock"
) -> list[Wakeup]:
    return [
        Wakeup(
            event_id=uuid4(),
            effect=effect,
            target=target,
            queue=queue,
            subject="session",
            subject_id=uuid4(),
        )
        for _ in range(count)
    ]


@pytest.fixture
def wakeups(celery_app: Celery) -> Iterator[WakeupQueue]:
    """A wakeups, whose queue is empty when the test ends."""
    wakeups = WakeupQueue(celery_app)
    yield wakeups
    wakeups.flush()


def test_a_message_shows_effect_subject_and_event_of_each_delivery() -> None:
    (plain,) = some_wakeups(1)
    assert argument(plain) == {
        "effect": "reviews.unlock",
        "session": str(plain.subject_id),
        "event": str(plain.event_id),
    }
    (aimed,) = some_wakeups(1, target="user-7")
    assert argument(aimed)["target"] == "user-7"


def test_a_message_names_up_to_50_deliveries_of_a_queue() -> None:
    reviews, webhooks = some_wakeups(MAX_IN_MESSAGE + 2), some_wakeups(2, queue="webhooks", effect="webhooks.send")
    others = some_wakeups(2, queue="notifications", effect="notifications.session_created")
    mails = some_wakeups(2, queue="notifications", effect="mail.send")
    unknown = some_wakeups(1, effect="plugins.newer")
    mixed = [reviews[0], webhooks[0], mails[0], others[0], *reviews[1:], *unknown, *webhooks[1:], *mails[1:], others[1]]
    assert grouped(mixed) == [
        reviews[:MAX_IN_MESSAGE],
        webhooks,
        mails,
        others,
        [*reviews[MAX_IN_MESSAGE:], *unknown],
    ]


def test_a_worker_reads_a_newer_publishers_message(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[DeliveryKey, ...]] = []
    belongings = SimpleNamespace(deliverer=SimpleNamespace(deliver=lambda *keys: looked.append(keys)))
    monkeypatch.setattr("workers.worker.current", lambda: belongings)
    named = some_wakeups(3, queue="webhooks", effect="webhooks.send", target="endpoint-1")
    app.tasks[TASK](deliveries=[argument(wakeup) for wakeup in named], newer="publisher")
    keys = tuple(DeliveryKey(event_id=wakeup.event_id, effect="webhooks.send", target="endpoint-1") for wakeup in named)
    assert looked == [keys]


def test_idle_queues_are_published_at_once_and_busy_ones_bundled(
    wakeups: WakeupQueue, valkey: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUEUE_PAUSE_SECONDS, "analytics", 3600)
    wakeups.put(some_wakeups(1, queue="analytics"))
    eventually(lambda: len(messages(valkey, "analytics")) == 1, "the first message")
    for _ in range(10):
        wakeups.put(some_wakeups(1, queue="analytics"))
    wakeups.put(some_wakeups(1))
    eventually(lambda: len(messages(valkey, "reviews")) == 1, "the other queue's message")
    assert len(messages(valkey, "analytics")) == 1
    assert wakeups.flush()
    assert len(messages(valkey, "analytics")) == 2, "those that came meanwhile are named together"


def test_deliveries_arrive_on_their_queues_list_in_order(wakeups: WakeupQueue, valkey: EmbeddedServer) -> None:
    offered = some_wakeups(MAX_IN_MESSAGE) + some_wakeups(2, queue="analytics")
    wakeups.put(offered)
    assert wakeups.flush()
    (message,) = messages(valkey, "reviews")
    assert (message["headers"]["task"], message["headers"]["shadow"]) == (TASK, "reviews.unlock")
    # As operators read it in Flower.
    shown = message["headers"]["kwargsrepr"]
    places = [shown.index(str(wakeup.event_id)) for wakeup in offered[:MAX_IN_MESSAGE]]
    assert places == sorted(places)
    assert all(str(wakeup.subject_id) in shown for wakeup in offered[:MAX_IN_MESSAGE])
    assert len(messages(valkey, "analytics")) == 1


def test_a_message_is_named_after_all_its_effects(publisher: Publisher, valkey: EmbeddedServer) -> None:
    unlocks, others = some_wakeups(2), some_wakeups(1, effect="plugins.newer")
    publisher.publish([*unlocks, *others])
    (message,) = messages(valkey, "reviews")
    assert message["headers"]["shadow"] == "plugins.newer, reviews.unlock"


def test_many_are_published_in_full_messages(wakeups: WakeupQueue, valkey: EmbeddedServer) -> None:
    wakeups.put(some_wakeups(5 * MAX_IN_BATCH))
    assert wakeups.flush()
    assert len(messages(valkey, "reviews")) == 5 * MAX_IN_BATCH / MAX_IN_MESSAGE


def test_a_batch_is_one_pipeline_to_valkey(publisher: Publisher, valkey: EmbeddedServer) -> None:
    publisher.publish(some_wakeups(1))
    reads = []
    with redis.Redis.from_url(valkey.url) as client:
        for _ in range(10):
            before = client.info("stats")["total_reads_processed"]
            publisher.publish([wakeup for queue in QUEUES for wakeup in some_wakeups(1, queue=queue)])
            reads.append(client.info("stats")["total_reads_processed"] - before)
    # One of them is the look itself, and others may be of other clients; a read a message would be a round trip each.
    assert min(reads) < len(QUEUES)
    assert all(messages(valkey, queue) for queue in QUEUES)


def test_what_does_not_fit_is_dropped_at_once(celery_app: Celery, stoppable_valkey: Any) -> None:
    with stoppable_valkey.paused():
        wakeups = WakeupQueue(celery_app, capacity=10)
        began = time.monotonic()
        wakeups.put(some_wakeups(1000))
        assert time.monotonic() - began < 0.5
    assert wakeups.flush()


@pytest.mark.parametrize("trouble", ["stopped", "paused"])
def test_a_wakeup_never_waits_for_valkey(wakeups: WakeupQueue, stoppable_valkey: Any, trouble: str) -> None:
    wakeups.put(some_wakeups(1))
    assert wakeups.flush()
    with getattr(stoppable_valkey, trouble)():
        took = []
        for _ in range(50):
            began = time.monotonic()
            wakeups.put(some_wakeups(1))
            took.append(time.monotonic() - began)
        assert max(took) < 0.2
        assert wakeups.flush(10), "dropped, within the time-outs"
    wakeups.put(some_wakeups(1))
    assert wakeups.flush()
    # Back without help, on a new connection.
    eventually(lambda: _arrives(wakeups, stoppable_valkey.server), "a wakeup after Valkey is back", seconds=10)


def _arrives(wakeups: WakeupQueue, valkey: EmbeddedServer) -> bool:
    before = len(messages(valkey, "reviews"))
    wakeups.put(some_wakeups(1))
    wakeups.flush()
    return len(messages(valkey, "reviews")) > before


def test_a_flush_that_timed_out_is_false(wakeups: WakeupQueue, stoppable_valkey: Any) -> None:
    wakeups.put(some_wakeups(1))
    assert wakeups.flush()
    with stoppable_valkey.paused():
        wakeups.put(some_wakeups(1))
        assert not wakeups.flush(0.05)


def test_a_defect_in_publishing_ends_no_thread(
    wakeups: WakeupQueue, monkeypatch: pytest.MonkeyPatch, valkey: EmbeddedServer
) -> None:
    def defect(*_args: object) -> None:
        raise KeyError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr(Publisher, "publish", defect)
        wakeups.put(some_wakeups(1))
        assert wakeups.flush()
    thread = wakeups._thread
    wakeups.put(some_wakeups(1))
    assert wakeups.flush()
    assert len(messages(valkey, "reviews")) == 1
    assert wakeups._thread is thread


def refused_connection() -> Exception:
    return OperationalError("SELECT", {}, Exception("connection refused"))


@pytest.mark.parametrize(
    "error", [refused_connection(), PendingRollbackError("Can't reconnect"), PoolTimeout("QueuePool")]
)
def test_a_wakeup_while_the_database_is_away_is_a_warning(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_keys: DeliveryKey) -> None:
        raise error

    monkeypatch.setattr("workers.worker.current", lambda: SimpleNamespace(deliverer=SimpleNamespace(deliver=refused)))
    with capture_logs() as lines:
        app.tasks[TASK](deliveries=[argument(wakeup) for wakeup in some_wakeups(2)])
    assert [(line["event"], line["log_level"], line["deliveries"]) for line in lines] == [
        ("worker.database_unavailable", "warning", 2)
    ]
