"""Tests of the sweep: whatever is due and not done is called for again, on a real Valkey, whatever happens to it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from sqlalchemy import Engine, func, insert, select, text, update

from cli.embedded import EmbeddedServer
from infrastructure.wakeups import Publisher
from models.events import deliveries, events
from tests.eventually import eventually
from tests.factories import accept_booking, make_booking
from tests.integration.harness import Harness, without_guards
from tests.integration.test_record import an_event
from tests.queries import execute, scalar
from workers.sweep import HIGH_WATER_MESSAGES, Sweep
from workflows.events import QUEUES
from workflows.events.delivery import DeliveryKey
from workflows.events.record import Wakeup, record
from workflows.events.sweep import _EMPTY_LIST, _PATIENT, SWEEP_PAGE


class Bell(Publisher):
    """A publisher that only records, for the sweep's own rules."""

    def __init__(self, waiting: int = 0) -> None:
        self.rung: list[Wakeup] = []
        self.length = waiting

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        self.rung.extend(wakeups)

    def waiting(self, _queue: str) -> int:
        return self.length


def swept(harness: Harness, bell: Bell | None = None, **limits: Any) -> Bell:
    bell = bell or Bell()
    Sweep(harness.engine, bell, **limits).once()
    return bell


@pytest.fixture
def key(harness: Harness) -> DeliveryKey:
    """The delivery that is to create a session, the only one that is pending."""
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
        db.execute(update(deliveries).where(deliveries.c.effect != "sessions.create").values(state="cancelled"))
    return harness.key("sessions.create")


def overdue(harness: Harness, key: DeliveryKey, **values: Any) -> None:
    """Let the delivery's time for a wakeup have come, a while ago."""
    past = func.now() - timedelta(seconds=10)
    harness.change(key, **{"due_at": past, "nudge_at": past, **values})


def test_what_its_own_process_has_just_nudged_is_left_alone(harness: Harness, key: DeliveryKey) -> None:
    del key
    assert swept(harness).rung == []


def test_overdue_deliveries_are_found_with_their_subjects(harness: Harness, key: DeliveryKey) -> None:
    overdue(harness, key)
    (wakeup,) = swept(harness).rung
    assert (wakeup.event_id, wakeup.effect, wakeup.target, wakeup.queue) == (key.event_id, key.effect, "", "sessions")
    assert wakeup.subject == "booking"
    assert wakeup.subject_id == scalar(harness.engine, select(events.c.subject_id).where(events.c.id == key.event_id))


def test_the_pause_between_nudges_doubles_up_to_30_seconds(harness: Harness, key: DeliveryKey) -> None:
    for nudges, seconds in enumerate([2, 4, 8, 16, 30, 30, 30, 30]):
        overdue(harness, key)
        before = harness.row(key).now
        swept(harness)
        row = harness.row(key)
        assert row.nudges == nudges + 1
        assert before <= row.nudge_at - timedelta(seconds=seconds) <= row.now


def test_a_row_that_is_nudged_for_days_stops_no_sweep(harness: Harness, key: DeliveryKey) -> None:
    overdue(harness, key, nudges=1_000_000)
    assert len(swept(harness).rung) == 1
    assert harness.row(key).nudges == 1_000_001


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, True),
        # Ended, one way or another.
        ({"state": "done", "done_at": func.now()}, False),
        ({"state": "dead"}, False),
        ({"state": "cancelled"}, False),
        # Leased, and no longer leased.
        ({"lease_until": func.now() + timedelta(seconds=30)}, False),
        ({"lease_until": func.now() - timedelta(seconds=1)}, True),
        # Its time has not come.
        ({"nudge_at": func.now() + timedelta(seconds=2)}, False),
        ({"nudge_at": func.now() + timedelta(hours=2), "due_at": func.now() + timedelta(hours=2)}, False),
    ],
)
def test_the_sweep_finds_what_is_pending_free_and_due(
    harness: Harness, key: DeliveryKey, values: dict[str, Any], found: bool
) -> None:
    overdue(harness, key, **values)
    assert bool(swept(harness).rung) is found


SOON = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("waiting", "nudges", "due", "nudge_at", "found"),
    [
        # Nudged before, and the list is empty: whatever was published is gone, so that the pause is not waited for.
        (0, 3, -timedelta(seconds=3), SOON, True),
        # Something waits in the list: it may be this one's message.
        (1, 3, -timedelta(seconds=3), SOON, False),
        # It was due less than two seconds ago.
        (0, 3, -timedelta(seconds=1), SOON, False),
        # It is not due at all: a retry's pause is not cut short.
        (0, 3, timedelta(hours=1), timedelta(hours=1), False),
        # It was never nudged by a sweep: its own process has just done so.
        (0, 0, -timedelta(seconds=3), timedelta(seconds=1), False),
        # Another sweep has nudged it just now, after this one looked at the list.
        (0, 3, -timedelta(seconds=3), timedelta(seconds=8), False),
        (0, 9, -timedelta(seconds=90), timedelta(seconds=30), False),
        (0, 9, -timedelta(seconds=90), timedelta(seconds=29), True),
    ],
)
def test_an_empty_list_is_not_waited_for(
    harness: Harness, key: DeliveryKey, waiting: int, nudges: int, due: timedelta, nudge_at: timedelta, found: bool
) -> None:
    harness.change(key, nudges=nudges, due_at=func.now() + due, nudge_at=func.now() + nudge_at)
    assert bool(swept(harness, Bell(waiting)).rung) is found


@pytest.mark.parametrize(("waiting", "swept_over"), [(HIGH_WATER_MESSAGES, True), (HIGH_WATER_MESSAGES + 1, False)])
def test_a_backlog_is_not_published_twice_over(
    harness: Harness, key: DeliveryKey, waiting: int, swept_over: bool
) -> None:
    overdue(harness, key)
    assert bool(swept(harness, Bell(waiting)).rung) is swept_over


def many(harness: Harness, count: int) -> list[UUID]:
    """So many overdue deliveries of the sessions' queue; their events' ids in order."""
    with harness.engine.begin() as db:
        made = [an_event() for _ in range(count)]
        with without_guards(db):
            record(db, made[0])
            db.execute(deliveries.delete())
            stored = dict(db.execute(select(events)).one()._mapping)
            del stored["sequence"]
            db.execute(insert(events), [stored | {"id": event.id} for event in made[1:]])
            db.execute(
                insert(deliveries).values(due_at=func.now() - timedelta(seconds=9), nudge_at=func.now()),
                [
                    {
                        "event_id": event.id,
                        "effect": "sessions.create",
                        "id": uuid4(),
                        "queue": "sessions",
                    }
                    for event in made
                ],
            )
    return sorted(event.id for event in made)


def test_pages_follow_one_another_until_nothing_is_left(harness: Harness) -> None:
    ids = many(harness, SWEEP_PAGE + 20)
    bell = swept(harness)
    assert sorted(wakeup.event_id for wakeup in bell.rung) == ids


def test_a_page_of_locked_rows_hides_nothing_behind_it(harness: Harness) -> None:
    ids = many(harness, 10)
    with harness.engine.begin() as worker:
        worker.execute(select(deliveries).where(deliveries.c.event_id.in_(ids[:5])).with_for_update())
        assert sorted(wakeup.event_id for wakeup in swept(harness, page=3).rung) == ids[5:]
    assert sorted(wakeup.event_id for wakeup in swept(harness, page=3).rung if wakeup.event_id in ids[:5]) == ids[:5]


def test_what_has_waited_for_longest_is_named_first(harness: Harness) -> None:
    ids = many(harness, 6)
    with harness.engine.begin() as db:
        for place, event_id in enumerate(ids):
            past = func.now() - timedelta(seconds=20 + place)
            db.execute(update(deliveries).where(deliveries.c.event_id == event_id).values(nudge_at=past))
    assert [wakeup.event_id for wakeup in swept(harness, page=6).rung] == ids[::-1]


@pytest.mark.parametrize("statement", [_PATIENT, _EMPTY_LIST])
def test_a_page_is_read_from_the_index_and_never_sorted(harness: Harness, statement: Any) -> None:
    with harness.engine.begin() as db:
        # Of a table as small as the tests have, a sort may cost less than the index, by its statistics of the moment.
        db.execute(text("SET LOCAL enable_sort = off"))
        plan = db.execute(text(f"EXPLAIN {statement}"), {"queue": "webhooks", "page": SWEEP_PAGE}).scalars().all()
    assert any("Index Scan using ix_deliveries_queue_nudge_at" in line for line in plan), plan
    assert not any("Sort" in line for line in plan), plan


def test_queues_take_turns_page_by_page(harness: Harness) -> None:
    ids = many(harness, 9)
    execute(harness.engine, update(deliveries).where(deliveries.c.event_id.in_(ids[6:])).values(queue="webhooks"))
    queues = [wakeup.queue for wakeup in swept(harness, page=3).rung]
    assert queues == ["sessions"] * 3 + ["webhooks"] * 3 + ["sessions"] * 3


@pytest.mark.parametrize("error", [ValueError("a defect"), redis.ConnectionError("gone")])
def test_whatever_a_publisher_raises_ends_no_sweep(harness: Harness, key: DeliveryKey, error: Exception) -> None:
    class Raising(Bell):
        def publish(self, _wakeups: Sequence[Wakeup]) -> None:
            raise error

    overdue(harness, key)
    assert Sweep(harness.engine, Raising()).once() == 0
    row = harness.row(key)
    assert (row.nudges, row.nudge_at <= row.now) == (0, True)


def test_a_turn_is_named_in_time_and_without_a_mark(harness: Harness, key: DeliveryKey) -> None:
    later = func.now() + timedelta(seconds=2)
    turn = {"effect": "webhooks.send", "queue": "webhooks", "turn_rate": 1, "nudge_at": later}
    harness.change(key, **turn, due_at=func.now() + timedelta(seconds=1))
    assert swept(harness).rung == []
    harness.change(replace(key, effect="webhooks.send"), due_at=func.now())
    (wakeup,) = swept(harness).rung
    assert (wakeup.event_id, wakeup.queue) == (key.event_id, "webhooks")
    assert harness.row(replace(key, effect="webhooks.send")).nudges == 0
    # Something waits in the list: its worker looks at what is due.
    assert swept(harness, Bell(waiting=1)).rung == []


def test_a_queue_is_filled_to_the_high_water_mark(harness: Harness) -> None:
    many(harness, 20)
    assert len(swept(harness, page=3, high_water=0.1).rung) == 6


def test_one_queues_trouble_is_not_the_next_ones(harness: Harness, key: DeliveryKey) -> None:
    class HalfDeaf(Bell):
        def waiting(self, queue: str) -> int:
            if queue == "sessions":
                raise redis.ResponseError("WRONGTYPE")
            return super().waiting(queue)

    overdue(harness, key)
    harness.change(key, queue="webhooks")
    assert QUEUES.index("sessions") < QUEUES.index("webhooks")
    assert len(swept(harness, HalfDeaf()).rung) == 1


def test_a_statement_that_fails_ends_no_sweep(
    harness: Harness, key: DeliveryKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue(harness, key)
    monkeypatch.setattr("workflows.events.sweep._EMPTY_LIST", text("SELECT 1/0"))
    sweep = Sweep(harness.engine, Bell())
    assert sweep.once() == 0
    monkeypatch.undo()
    assert sweep.once() == 1


def messages(valkey: EmbeddedServer, queue: str) -> list[dict[str, Any]]:
    """The messages that wait in a queue's list, the oldest first."""
    with redis.Redis.from_url(valkey.url) as client:
        waiting: Iterable[bytes] = client.lrange(queue, 0, -1)
        return [json.loads(message) for message in reversed(list(waiting))]


def test_a_swept_row_is_a_message_on_its_queues_list(
    harness: Harness, key: DeliveryKey, publisher: Publisher, valkey: EmbeddedServer
) -> None:
    overdue(harness, key)
    assert Sweep(harness.engine, publisher).once() == 1
    (message,) = messages(valkey, "sessions")
    assert message["headers"]["task"] == "deliveries.run"
    assert str(key.event_id) in message["headers"]["kwargsrepr"]
    assert publisher.waiting("sessions") == 1


@pytest.mark.parametrize("trouble", ["stopped", "paused"])
def test_rows_wait_unchanged_while_valkey_is_unavailable(
    harness: Harness, key: DeliveryKey, publisher: Publisher, stoppable_valkey: Any, trouble: str
) -> None:
    overdue(harness, key)
    before = harness.row(key)[:-1]
    sweep = Sweep(harness.engine, publisher)
    assert publisher.waiting("sessions") == 0, "connected"
    with getattr(stoppable_valkey, trouble)():
        assert sweep.once() == 0
        assert harness.row(key)[:-1] == before
    assert sweep.once() == 1


def test_rows_that_were_not_published_are_swept_again_at_once(harness: Harness, key: DeliveryKey) -> None:
    class Mute(Bell):
        def publish(self, _wakeups: Sequence[Wakeup]) -> None:
            raise redis.ConnectionError("gone between the look and the call")

    overdue(harness, key, nudges=4)
    assert swept(harness, Mute()).rung == []
    row = harness.row(key)
    assert row.nudges == 4
    assert row.nudge_at <= row.now
    assert len(swept(harness).rung) == 1


def test_what_redis_forgot_is_found_again_within_seconds(
    harness: Harness, key: DeliveryKey, publisher: Publisher, valkey: EmbeddedServer, engine: Engine
) -> None:
    del engine
    # By its nudges alone, it would be called for again after half a minute.
    overdue(harness, key, nudges=4)
    sweep = Sweep(harness.engine, publisher)
    assert sweep.once() == 1
    assert sweep.once() == 0, "its message waits"
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    eventually(sweep.once, "the next round or the one after it", seconds=20)
