"""Tests of filling gaps: what an old process did not know to write during a deploy, and what maintain does besides."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from sqlalchemy import Connection, delete, func, insert, select, text, update
from structlog.testing import capture_logs

from models.events import deliveries, events, subscriptions
from models.idempotency import idempotency_keys
from tests.factories import make_booking
from tests.integration.harness import Harness, counted_statements, without_guards
from tests.integration.test_record import an_event, nothing
from tests.queries import execute
from workers import maintain as maintaining
from workers.maintain import maintain
from workflows.events.backfill import fill_gaps, fill_new_gaps, introduce
from workflows.events.event import Event
from workflows.events.event_types import SessionCompleted
from workflows.events.record import record
from workflows.events.subscriptions import Effect, Subscriptions, load

NEW = Effect(name="new", queue="reviews", event=SessionCompleted, run=nothing)


def knowing(*effects: Effect) -> Subscriptions:
    known = Subscriptions()
    for effect in effects:
        known.add(effect)
    return known


def filled(harness: Harness, known: Subscriptions, **how: Any) -> int:
    with harness.transactions() as db:
        return fill_gaps(db, known, now=datetime.now(UTC), **how)


def introduced(harness: Harness, known: Subscriptions, ago: timedelta) -> None:
    with harness.transactions() as db:
        introduce(db, known)
        db.execute(update(subscriptions).values(first_seen_at=func.now() - ago))


def recorded(harness: Harness, count: int = 1, ago: timedelta = timedelta()) -> list[Any]:
    """So many events, recorded by a process that knows nothing of the new effect."""
    made = [an_event() for _ in range(count)]
    with harness.engine.begin() as db, without_guards(db):
        for event in made:
            record(db, event)
        if ago:
            db.execute(update(events).values(created_at=func.now() - ago))
    return [event.id for event in made]


def written_by_old(db: Connection) -> None:
    """As if the events had been recorded before there were catalogues."""
    with without_guards(db):
        db.execute(update(events).values(catalogue=None))


def written(harness: Harness, effect: str = "new") -> list[Any]:
    """The deliveries of an effect: their events, targets and times."""
    with harness.engine.connect() as db:
        query = select(deliveries).where(deliveries.c.effect == effect).order_by(deliveries.c.event_id)
        return list(db.execute(query))


def test_a_subscription_keeps_the_time_it_was_first_seen(harness: Harness) -> None:
    introduced(harness, load(), timedelta(days=7))
    with harness.transactions() as db:
        introduce(db, load())
        rows = db.execute(select(subscriptions)).all()
    assert all(row.first_seen_at < row.created_at for row in rows)
    noted = {(row.effect, row.event_type) for row in rows}
    assert ("reviews.unlock", "session.completed") in noted
    assert not any(effect in ("mail.send", "webhooks.send") for effect, _type in noted)


def test_deliveries_an_old_process_missed_are_written_and_woken_up(harness: Harness) -> None:
    introduced(harness, knowing(NEW), timedelta(minutes=10))
    ids = recorded(harness, 3)
    harness.wakeups.kept.clear()
    assert filled(harness, knowing(NEW)) == 3
    rows = written(harness)
    assert [row.event_id for row in rows] == ids
    assert {(row.queue, row.state) for row in rows} == {("reviews", "pending")}
    assert harness.wakeups.effects() == ["new"] * 3
    assert filled(harness, knowing(NEW)) == 0, "once"


def test_what_is_there_is_left_as_it_is(harness: Harness) -> None:
    introduced(harness, load(), timedelta(minutes=10))
    recorded(harness)
    harness.run_all()
    before = written(harness, "reviews.unlock")
    assert filled(harness, load()) == 0
    assert written(harness, "reviews.unlock") == before


@pytest.mark.parametrize(
    ("first_seen", "happened", "how", "missing"),
    [
        # Only what happened since the effect was first seen is missing.
        (timedelta(hours=2), timedelta(hours=1), {}, 1),
        (timedelta(hours=1), timedelta(hours=2), {}, 0),
        # A frequent look reaches back no further than it has to.
        (timedelta(hours=9), timedelta(hours=2), {"look_back": timedelta(hours=1)}, 0),
        (timedelta(hours=9), timedelta(minutes=30), {"look_back": timedelta(hours=1)}, 1),
        # By hand, older events are done too.
        (timedelta(hours=1), timedelta(hours=2), {"since": timedelta(hours=3)}, 1),
    ],
)
def test_how_far_back_is_looked(
    harness: Harness, first_seen: timedelta, happened: timedelta, how: dict[str, timedelta], missing: int
) -> None:
    introduced(harness, knowing(NEW), first_seen)
    # An event's id tells its age as well.
    with harness.engine.begin() as db, without_guards(db):
        record(db, an_event())
        then = datetime.now(UTC) - happened
        new_id = text(f"CAST(overlay(CAST(id AS text) placing '{_age(then)}' from 1 for 13) AS uuid)")
        db.execute(delete(deliveries))
        db.execute(update(events).values(created_at=then, id=new_id))
    if "since" in how:
        assert filled(harness, knowing(NEW), since=datetime.now(UTC) - how["since"]) == missing
    else:
        assert filled(harness, knowing(NEW), **how) == missing


def _age(moment: datetime) -> str:
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def test_what_the_events_writer_knew_is_not_asked_for(harness: Harness) -> None:
    """It has planned it, or had a reason not to, such as no listener."""
    introduced(harness, load(), timedelta(minutes=10))
    recorded(harness)
    with harness.transactions() as db:
        db.execute(delete(deliveries))
    assert filled(harness, load()) == 0
    more = knowing(*load().database_effects(), NEW)
    introduced(harness, more, timedelta(minutes=10))
    assert filled(harness, more) == 1
    assert [row.effect for row in written(harness)] == ["new"]


def test_events_of_a_writer_without_a_catalogue_are_filled(harness: Harness) -> None:
    introduced(harness, load(), timedelta(minutes=10))
    recorded(harness)
    with harness.transactions() as db:
        db.execute(delete(deliveries))
        written_by_old(db)
    assert filled(harness, load()) == len(load().of(SessionCompleted))


def test_an_effect_that_was_not_introduced_misses_nothing(harness: Harness) -> None:
    recorded(harness)
    assert filled(harness, knowing(NEW)) == 0


def test_gaps_are_filled_page_by_page(harness: Harness) -> None:
    introduced(harness, knowing(NEW), timedelta(minutes=10))
    recorded(harness, 5)
    assert filled(harness, knowing(NEW), page_size=2) == 5


def test_timers_and_targets_are_filled_in_as_they_are(harness: Harness) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    timer = Effect(name="timer", queue="reviews", event=Event, run=nothing, due=lambda _event: later)
    each = Effect(name="each", queue="reviews", event=Event, run=nothing, targets=lambda _event: ["a", "b"])
    untargeted = Effect(name="untargeted", queue="reviews", event=Event, run=nothing, targets=lambda _event: [])
    introduced(harness, knowing(timer, each, untargeted), timedelta(minutes=10))
    recorded(harness)
    assert filled(harness, knowing(timer, each, untargeted)) == 3
    assert [row.due_at for row in written(harness, "timer")] == [later]
    assert sorted(row.target for row in written(harness, "each")) == ["a", "b"]


def new_gaps(harness: Harness, known: Subscriptions, *, now: datetime | None = None) -> tuple[int, bool]:
    with harness.transactions() as db:
        return fill_new_gaps(db, known, now=now or datetime.now(UTC))


def test_gaps_are_looked_for_where_the_last_round_ended(harness: Harness) -> None:
    known = knowing(NEW)
    introduced(harness, known, timedelta(minutes=10))
    recorded(harness, 2)
    assert new_gaps(harness, known) == (2, False)
    recorded(harness, 1)
    assert new_gaps(harness, known) == (1, False), "what is fresh is looked at again, as it may have committed late"
    later = datetime.now(UTC) + timedelta(minutes=30)
    assert new_gaps(harness, known, now=later) == (0, False)
    with harness.transactions() as db:
        db.execute(delete(deliveries).where(deliveries.c.effect == "new"))
    assert new_gaps(harness, known, now=later) == (0, False), "what has settled is not looked at again"
    # Other code knows other effects, and goes on from there.
    both = knowing(NEW, Effect(name="newer", queue="reviews", event=Event, run=nothing))
    assert new_gaps(harness, both, now=later) == (0, False)


@pytest.mark.parametrize("ahead", [-10, 10], ids="{} minutes ahead".format)
def test_gaps_are_filled_by_the_databases_clock(harness: Harness, ahead: int) -> None:
    fill = {"fill gaps": maintaining.CHORES["fill gaps"]}
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=ahead)):
        assert maintain(harness.transactions, fill)
        with harness.transactions() as db:
            make_booking(db)
            db.execute(delete(deliveries).where(deliveries.c.effect == "bookings.expire"))
            written_by_old(db)
        assert maintain(harness.transactions, fill)
    assert len(written(harness, "bookings.expire")) == 1


def test_a_long_gap_is_filled_an_hour_at_a_time(harness: Harness) -> None:
    known = knowing(NEW)
    introduced(harness, known, timedelta(hours=3, minutes=30))
    recorded(harness, 2)
    assert [new_gaps(harness, known) for _ in range(4)] == [(0, True), (0, True), (0, True), (2, False)]


def test_events_of_the_same_catalogue_need_one_look(harness: Harness) -> None:
    introduced(harness, load(), timedelta(minutes=10))
    new_gaps(harness, load())
    with harness.transactions() as db:
        make_booking(db)
        db.execute(delete(deliveries).where(deliveries.c.effect == "bookings.expire"))
        with counted_statements(db) as statements:
            assert fill_new_gaps(db, load(), now=datetime.now(UTC)) == (0, False)
    assert len(statements) == 4


def test_maintain_introduces_fills_and_forgets(harness: Harness) -> None:
    chores = maintaining.CHORES | {"forget expired keys": partial(maintaining.forget_expired_keys, limit=1)}
    maintain(harness.transactions)
    with harness.transactions() as db:
        make_booking(db)
        db.execute(delete(deliveries).where(deliveries.c.effect == "bookings.expire"))
        written_by_old(db)
        for n, hours in enumerate((-3, -2, -1, 1)):
            db.execute(
                insert(idempotency_keys).values(
                    caller="c",
                    method="POST",
                    route="r",
                    key=str(n),
                    fingerprint=b"",
                    status_code=200,
                    headers={},
                    body=b"",
                    expires_at=func.now() + timedelta(hours=hours),
                )
            )
    with capture_logs() as lines:
        maintain(harness.transactions, chores, batches=2)
    assert len(written(harness, "bookings.expire")) == 1
    assert {"event": "maintain.filled_gaps", "deliveries": 1, "log_level": "warning"} in lines

    def keys() -> int:
        return len(execute(harness.engine, select(idempotency_keys)).all())

    assert keys() == 2, "in small batches, and not too many of them a round"
    maintain(harness.transactions)
    assert keys() == 1, "what has not expired stays"


def test_maintain_logs_which_invariant_is_violated(harness: Harness) -> None:
    recorded(harness)
    harness.change(harness.key("reviews.unlock"), state="dead")
    with capture_logs() as lines:
        maintain(harness.transactions)
    (line,) = [line for line in lines if line["event"] == "invariant.violated"]
    assert (line["invariant"], line["violations"]) == ("dead_delivery", 1)
    assert line["sample"] == [str(harness.row(harness.key("reviews.unlock")).id)]
