"""Tests of the nudging thread: quick when Valkey is there, and never in anybody's way when it is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Celery

from cli.servers import Server
from tests.eventually import eventually
from tests.integration.test_sweep import messages
from workers import nudge as nudging
from workers.app import app
from workers.nudge import BATCH, MOST_IN_A_MESSAGE, Nudger, Publisher, arguments, groups
from workflows.events.delivery import Key
from workflows.events.record import Nudge


def nudges(count: int, *, queue: str = "reviews", target: str = "", effect: str = "reviews.unlock") -> list[Nudge]:
    """So many nudges."""
    return [
        Nudge(
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
def nudger(celery_app: Celery) -> Iterator[Nudger]:
    """A nudger, whose queue is empty when the test ends."""
    nudger = Nudger(celery_app)
    yield nudger
    nudger.flush()


def test_a_task_reads_like_a_sentence_in_flower() -> None:
    (plain,) = nudges(1)
    assert arguments(plain) == {"session": str(plain.subject_id), "event": str(plain.event_id)}
    (aimed,) = nudges(1, target="user-7")
    assert arguments(aimed)["target"] == "user-7"


def test_a_message_that_names_several_reads_like_a_list_of_such_sentences() -> None:
    first, second, third = nudges(3, target="endpoint-1")
    named = arguments(first, second, third)
    assert named == arguments(first) | {"also": [arguments(second), arguments(third)]}


def test_what_leaves_the_house_is_named_several_at_a_time_and_what_does_not_one_by_one() -> None:
    inside, outside = nudges(3), nudges(MOST_IN_A_MESSAGE + 2, queue="webhooks", effect="webhooks.send")
    unknown = nudges(2, effect="plugins.newer")
    mails = nudges(2, queue="notifications", effect="mail.send")
    mixed = [inside[0], outside[0], mails[0], unknown[0], inside[1], *outside[1:], *mails[1:], *unknown[1:], inside[2]]
    assert groups(mixed) == [
        [inside[0]],
        outside[:MOST_IN_A_MESSAGE],
        mails,
        [unknown[0]],
        [inside[1]],
        outside[MOST_IN_A_MESSAGE:],
        [unknown[1]],
        [inside[2]],
    ]


def test_a_message_shows_operators_all_that_it_names(nudger: Nudger, valkey: Server) -> None:
    offered = nudges(MOST_IN_A_MESSAGE, queue="webhooks", effect="webhooks.send", target=str(uuid4()))
    nudger.offer(offered)
    assert nudger.flush()
    arrived = messages(valkey, "webhooks")
    shown = "".join(message["headers"]["kwargsrepr"] for message in arrived)
    assert {message["headers"]["task"] for message in arrived} == {"webhooks.send"}
    for nudge in offered:
        assert str(nudge.event_id) in shown
        assert str(nudge.subject_id) in shown


def test_a_worker_reads_all_that_a_message_names(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[str, list[Key]]] = []
    belongings = SimpleNamespace(deliverer=SimpleNamespace(deliver_all=lambda *args: looked.append(args)))
    monkeypatch.setattr("workers.app.current", lambda: belongings)
    named = nudges(3, queue="webhooks", effect="webhooks.send", target="endpoint-1")
    for sent in (arguments(*named), arguments(named[0]), arguments(named[1]) | {"newer": "publisher"}):
        app.tasks["webhooks.send"](**sent)
    keys = [Key(event_id=nudge.event_id, effect="webhooks.send", target="endpoint-1") for nudge in named]
    assert looked == [("webhooks.send", keys), ("webhooks.send", keys[:1]), ("webhooks.send", keys[1:2])]


def test_what_is_offered_arrives_on_its_queues_list_in_order(nudger: Nudger, valkey: Server) -> None:
    offered = nudges(3) + nudges(2, queue="analytics")
    nudger.offer(offered)
    assert nudger.flush()
    arrived = messages(valkey, "reviews")
    assert [message["headers"]["task"] for message in arrived] == ["reviews.unlock"] * 3
    for nudge, message in zip(offered, arrived, strict=False):
        assert str(nudge.event_id) in message["headers"]["kwargsrepr"]
    assert len(messages(valkey, "analytics")) == 2


def test_many_are_published_in_few_round_trips(nudger: Nudger, monkeypatch: pytest.MonkeyPatch, valkey: Server) -> None:
    batches: list[int] = []
    publish = Publisher.publish

    def counted(self: Publisher, batch: list[Nudge]) -> None:
        batches.append(len(batch))
        publish(self, batch)

    monkeypatch.setattr(Publisher, "publish", counted)
    nudger.offer(nudges(5 * BATCH))
    assert nudger.flush()
    assert sum(batches) == 5 * BATCH
    assert len(batches) < 25
    assert len(messages(valkey, "reviews")) == 5 * BATCH


def test_a_batch_is_one_pipeline_to_valkey(publisher: Publisher, valkey: Server) -> None:
    publisher.publish(nudges(1))
    with redis.Redis.from_url(valkey.url) as client:
        before = client.info("stats")["total_reads_processed"]  # type: ignore[index]
        publisher.publish(nudges(100))
        reads = client.info("stats")["total_reads_processed"] - before  # type: ignore[index]
    assert reads < 50, "a read a message would be a round trip each"


def test_what_does_not_fit_is_dropped_at_once(celery_app: Celery, stoppable_valkey: Any) -> None:
    with stoppable_valkey.paused():
        nudger = Nudger(celery_app, capacity=10)
        began = time.monotonic()
        nudger.offer(nudges(1000))
        assert time.monotonic() - began < 0.5
    assert nudger.flush()


@pytest.mark.parametrize("trouble", ["stopped", "paused"])
def test_an_offer_never_waits_for_valkey(
    nudger: Nudger, stoppable_valkey: Any, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nudging, "PAUSE_AFTER_FAILURE", 0.05)
    nudger.offer(nudges(1))
    assert nudger.flush()
    with getattr(stoppable_valkey, trouble)():
        took = []
        for _ in range(50):
            began = time.monotonic()
            nudger.offer(nudges(1))
            took.append(time.monotonic() - began)
        assert max(took) < 0.2
        assert nudger.flush(10), "dropped, within the time-outs"
    nudger.offer(nudges(1))
    assert nudger.flush()
    # Back by itself, on a new connection.
    eventually(lambda: _arrives(nudger, stoppable_valkey.server), "a nudge after Valkey is back", seconds=10)


def _arrives(nudger: Nudger, valkey: Server) -> bool:
    before = len(messages(valkey, "reviews"))
    nudger.offer(nudges(1))
    nudger.flush()
    return len(messages(valkey, "reviews")) > before


def test_a_flush_says_when_it_waited_in_vain(
    nudger: Nudger, stoppable_valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nudging, "PAUSE_AFTER_FAILURE", 0.05)
    nudger.offer(nudges(1))
    assert nudger.flush()
    with stoppable_valkey.paused():
        nudger.offer(nudges(1))
        assert not nudger.flush(0.05)


def test_a_defect_in_publishing_ends_no_nudging(
    nudger: Nudger, monkeypatch: pytest.MonkeyPatch, valkey: Server
) -> None:
    failed: list[object] = []

    def defect(*_args: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("threading.excepthook", failed.append)
    with monkeypatch.context() as broken:
        broken.setattr(Publisher, "publish", defect)
        nudger.offer(nudges(1))
        assert nudger.flush()
        eventually(lambda: failed, "the thread's end")
    nudger.offer(nudges(1))
    assert nudger.flush()
    assert len(messages(valkey, "reviews")) == 1


def test_a_queue_without_a_list_has_nothing_waiting(publisher: Publisher) -> None:
    assert publisher.waiting("reviews") == 0
