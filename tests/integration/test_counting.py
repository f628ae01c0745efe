"""Tests of what is counted, where, and once: by day, by quarter of an hour, by request, and how long steps took."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Table, insert, select

from models.analytics import COUNTERS, daily_session_stats, daily_transition_times, quarter_hour_session_stats
from models.catalog import courses
from tests import factories
from tests.integration.happenings import Life, at
from tests.integration.house import counted_statements
from workflows.analytics.recount import differences
from workflows.events.delivery import Delivery, DeliveryKey
from workflows.events.record import drain_recorded, flush_deferred
from workflows.events.store import claim, mark_done
from workflows.events.subscriptions import Effect, load


@pytest.fixture
def mentor_id(db: Connection) -> UUID:
    drain_recorded(db)
    return factories.make_mentor(db).id


@pytest.fixture
def course_id(db: Connection) -> UUID:
    course = uuid4()
    db.execute(insert(courses).values(id=course, title="Compilers"))
    return course


@pytest.fixture(autouse=True)
def _as_a_recount_says(db: Connection) -> Iterator[None]:
    """Whatever a test counts, a recount says the same."""
    yield
    assert differences(db) == []


def work(db: Connection, *, shuffled: random.Random | None = None) -> list[Delivery]:
    """Count all that has happened since the last time."""
    keys = [
        DeliveryKey(event_id=nudge.event_id, effect=nudge.effect)
        for nudge in drain_recorded(db).nudges
        if nudge.effect.startswith("analytics.")
    ]
    if shuffled:
        shuffled.shuffle(keys)
    delivered = []
    for key in keys:
        (delivery,) = claim(db, [key])
        assert delivery is not None
        run(db, delivery)
        assert mark_done(db, [delivery])
        delivered.append(delivery)
    return delivered


def run(db: Connection, delivery: Delivery) -> None:
    effect = load().named(delivery.key.effect)
    assert isinstance(effect, Effect)
    effect.run(db, delivery.event, now=delivery.now)
    flush_deferred(db)


def counted(db: Connection, table: Table = daily_session_stats) -> dict[Any, dict[str, int]]:
    """The counters that moved, by the row's time."""
    slot = table.c.day if "day" in table.c else table.c.quarter_hour
    rows = db.execute(select(table).order_by(slot))
    return {
        str(row._mapping[slot]): {name: row._mapping[name] for name in COUNTERS if row._mapping[name]} for row in rows
    }


def times(db: Connection) -> set[tuple[str, str, int, int, int]]:
    stats = daily_transition_times.c
    rows = db.execute(select(stats.day, stats.transition, stats.bucket, stats["count"], stats.milliseconds))
    return {(str(day), str(name), bucket, count, ms) for day, name, bucket, count, ms in rows}


def whole_life(life: Life) -> None:
    """Asked for on a Monday, held on the Wednesday, reviewed on the Friday."""
    life.booking("requested", at("2026-05-04T23:50Z"))
    life.booking("accepted", at("2026-05-05T01:20Z"))
    life.session("created", at("2026-05-05T01:20:00.120Z"))
    life.session("started", at("2026-05-06T09:58Z"))
    life.session("completed", at("2026-05-06T11:03Z"))
    life.review(at("2026-05-08T18:00Z"))


def held_on_wednesday(db: Connection, mentor_id: UUID, **besides: Any) -> Life:
    return Life(db, mentor_id, start_time=at("2026-05-06T10:00Z"), **besides)


def test_what_happened_counts_when_it_did_and_a_request_where_it_was_made(db: Connection, mentor_id: UUID) -> None:
    whole_life(held_on_wednesday(db, mentor_id))
    work(db)
    requests = ("requests", "requests_accepted", "requests_with_session", "requests_completed", "requests_reviewed")
    assert counted(db) == {
        "2026-05-04": dict.fromkeys(requests, 1),
        "2026-05-05": {"created": 1},
        "2026-05-06": {"started": 1, "completed": 1, "minutes": 60},
    }
    assert counted(db, quarter_hour_session_stats) == {
        "2026-05-04 23:45:00+00:00": dict.fromkeys(requests, 1),
        "2026-05-05 01:15:00+00:00": {"created": 1},
        "2026-05-06 09:45:00+00:00": {"started": 1},
        "2026-05-06 11:00:00+00:00": {"completed": 1, "minutes": 60},
    }


def test_each_step_takes_its_time_on_the_day_on_which_it_ends(db: Connection, mentor_id: UUID) -> None:
    whole_life(held_on_wednesday(db, mentor_id))
    work(db)
    minute = 60_000
    assert times(db) == {
        ("2026-05-05", "request_to_decision", 5, 1, 90 * minute),
        ("2026-05-05", "acceptance_to_session", 2, 1, 120),
        ("2026-05-06", "start_delay", 2, 1, -2 * minute),
        ("2026-05-06", "length", 5, 1, 65 * minute),
    }


def test_a_refusal_is_a_decision_and_a_cancelled_draft_is_none(db: Connection, mentor_id: UUID) -> None:
    for kind in ("declined", "cancelled"):
        life = Life(db, mentor_id)
        life.booking("requested", at("2026-05-04T10:00Z"))
        life.booking(kind, at("2026-05-04T10:10Z"))
    work(db)
    assert times(db) == {("2026-05-04", "request_to_decision", 2, 1, 600_000)}
    assert counted(db) == {"2026-05-04": {"requests": 2}}


def test_an_instant_booking_is_a_request_that_took_no_decision(db: Connection, mentor_id: UUID) -> None:
    life = Life(db, mentor_id)
    life.booking("accepted", at("2026-05-04T10:00Z"))
    life.session("created", at("2026-05-04T10:00:01Z"))
    work(db)
    asked = {"requests": 1, "requests_accepted": 1, "requests_with_session": 1}
    assert counted(db) == {"2026-05-04": {"created": 1, **asked}}
    assert {name for _day, name, *_ in times(db)} == {"acceptance_to_session"}


def test_nobody_asked_for_a_group_and_its_seats_count_where_they_are_taken(db: Connection, mentor_id: UUID) -> None:
    life = Life(db, mentor_id, mentee_user_id=None)
    life.booking("accepted", at("2026-05-04T10:00Z"))
    life.session("created", at("2026-05-04T10:00:01Z"))
    life.seat("joined", at("2026-05-04T12:00Z"))
    life.seat("joined", at("2026-05-04T12:01Z"))
    life.seat("left", at("2026-05-05T12:00Z"))
    life.session("started", at("2026-05-06T10:00Z"))
    life.session("completed", at("2026-05-06T11:00Z"))
    life.review(at("2026-05-06T12:00Z"))
    life.review(at("2026-05-06T13:00Z"))
    work(db)
    assert counted(db) == {
        "2026-05-04": {"created": 1, "seats_joined": 2},
        "2026-05-05": {"seats_left": 1},
        "2026-05-06": {"started": 1, "completed": 1, "minutes": 60},
    }


def test_a_late_cancellation_is_one_of_the_cancellations(db: Connection, mentor_id: UUID) -> None:
    for late in (True, False, False):
        Life(db, mentor_id).call_off(at("2026-05-04T10:00Z"), late=late)
    work(db)
    assert counted(db) == {"2026-05-04": {"cancelled": 3, "late_cancellations": 1}}


def test_courses_are_counted_by_themselves_and_none_is_one_too(
    db: Connection, mentor_id: UUID, course_id: UUID
) -> None:
    for course in (course_id, None, None):
        whole_life(held_on_wednesday(db, mentor_id, course_id=course))
    work(db)
    stats = daily_session_stats.c
    rows = db.execute(select(stats.course_id, stats.completed).where(stats.completed > 0))
    assert {course: completed for course, completed in rows} == {course_id: 1, None: 2}
    reviewed = db.execute(select(stats.course_id, stats.requests_reviewed).where(stats.requests_reviewed > 0))
    assert {course: n for course, n in reviewed} == {course_id: 1, None: 2}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_things_are_counted_matters_not(db: Connection, mentor_id: UUID, seed: int) -> None:
    life, other = held_on_wednesday(db, mentor_id), held_on_wednesday(db, mentor_id)
    whole_life(life)
    whole_life(other)
    other.call_off(at("2026-05-04T23:55Z"), late=True)
    work(db, shuffled=random.Random(seed))
    assert counted(db)["2026-05-04"] == {
        **{"cancelled": 1, "late_cancellations": 1, "requests": 2, "requests_accepted": 2},
        **{"requests_with_session": 2, "requests_completed": 2, "requests_reviewed": 2},
    }
    assert sum(count for *_, count, _ms in times(db)) == 8


def test_an_event_that_is_not_counted_yet_is_missing_from_a_recount_too(db: Connection, mentor_id: UUID) -> None:
    whole_life(held_on_wednesday(db, mentor_id))
    assert counted(db) == {}
    assert differences(db) == []


def test_a_review_of_an_unknown_session_counts_nothing(db: Connection, mentor_id: UUID) -> None:
    Life(db, mentor_id).review(at("2026-05-08T18:00Z"))
    work(db)
    assert counted(db) == {}


def test_clocks_that_differ_make_no_time_negative_but_a_starts(db: Connection, mentor_id: UUID) -> None:
    life = Life(db, mentor_id, start_time=at("2026-05-04T10:00Z"))
    moment = at("2026-05-04T09:00Z")
    for number, (step, kind) in enumerate(
        [(life.booking, "requested"), (life.booking, "accepted"), (life.session, "created"), (life.session, "started")]
    ):
        step(kind, moment - number * timedelta(seconds=1))
    work(db)
    assert {(name, bucket, ms) for _day, name, bucket, _count, ms in times(db)} == {
        ("request_to_decision", 0, 0),
        ("acceptance_to_session", 0, 0),
        ("start_delay", 0, -3_603_000),
    }


@pytest.mark.parametrize(("kind", "most"), [("created", 4), ("started", 3), ("completed", 4)])
def test_counting_makes_few_statements(db: Connection, mentor_id: UUID, kind: str, most: int) -> None:
    life = held_on_wednesday(db, mentor_id)
    life.booking("requested", at("2026-05-04T10:00Z"))
    life.booking("accepted", at("2026-05-04T10:00Z"))
    work(db)
    life.session(kind, at("2026-05-06T10:00Z"))
    (nudge,) = [each for each in drain_recorded(db).nudges if each.queue == "analytics"]
    (delivery,) = claim(db, [DeliveryKey(event_id=nudge.event_id, effect=nudge.effect)])
    assert delivery is not None
    with counted_statements(db) as statements:
        run(db, delivery)
    assert len(statements) <= most
    assert mark_done(db, [delivery])


def test_the_hour_belongs_to_whoever_reads_it(db: Connection, mentor_id: UUID) -> None:
    """A moment in another zone is the same moment."""
    Life(db, mentor_id).session("created", datetime.fromisoformat("2026-05-05T05:44:59+05:45"))
    work(db)
    assert list(counted(db, quarter_hour_session_stats)) == ["2026-05-04 23:45:00+00:00"]
