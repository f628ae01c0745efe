"""Tests of filling gaps: what an old process did not know to write during a deploy, and what maintain does besides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, insert, select, text, update
from structlog.testing import capture_logs

from models.events import deliveries, events, subscriptions
from models.idempotency import idempotency_keys
from tests.factories import make_booking
from tests.integration.house import House, counted_statements, without_guards
from tests.integration.test_record import an_event, nothing
from workers import maintain as maintaining
from workers.maintain import maintain
from workflows.events.backfill import fill_gaps, fill_new_gaps, introduce
from workflows.events.catalogue import Event, SessionCompleted
from workflows.events.record import record
from workflows.events.subscriptions import Effect, Subscriptions, load

NEW = Effect(name="new", queue="reviews", event=SessionCompleted, run=nothing)


def knowing(*effects: Effect) -> Subscriptions:
    """What a process knows that has just these effects."""
    known = Subscriptions()
    for effect in effects:
        known.add(effect)
    return known


def filled(house: House, known: Subscriptions, **how: Any) -> int:
    """Fill the gaps, and say how many there were."""
    with house.transactions() as db:
        return fill_gaps(db, known, now=datetime.now(UTC), **how)


def introduced(house: House, known: Subscriptions, ago: timedelta) -> None:
    """Let these subscriptions be known since then."""
    with house.transactions() as db:
        introduce(db, known)
        db.execute(update(subscriptions).values(first_seen_at=func.now() - ago))


def recorded(house: House, count: int = 1, ago: timedelta = timedelta()) -> list[Any]:
    """So many events, recorded by a process that knows nothing of the new effect."""
    made = [an_event() for _ in range(count)]
    with house.engine.begin() as db, without_guards(db):
        for event in made:
            record(db, event)
        if ago:
            db.execute(update(events).values(created_at=func.now() - ago))
    return [event.id for event in made]


def written_by_old(db: Connection) -> None:
    """As if the events had been recorded before there were catalogues."""
    with without_guards(db):
        db.execute(update(events).values(catalogue=None))


def written(house: House, effect: str = "new") -> list[Any]:
    """The deliveries of an effect: their events, targets and times."""
    with house.engine.connect() as db:
        query = select(deliveries).where(deliveries.c.effect == effect).order_by(deliveries.c.event_id)
        return list(db.execute(query))


def test_a_subscription_keeps_the_time_it_was_first_seen(house: House) -> None:
    introduced(house, load(), timedelta(days=7))
    with house.transactions() as db:
        introduce(db, load())
        rows = db.execute(select(subscriptions)).all()
    assert all(row.first_seen_at < row.created_at for row in rows)
    noted = {(row.effect, row.event_type) for row in rows}
    assert ("reviews.unlock", "session.completed") in noted
    # Nothing is asked for that is retired.
    assert not any(effect in ("webhooks.queue", "reminders.set") for effect, _type in noted)
    assert not any(effect in ("mail.send", "webhooks.send") for effect, _type in noted)


def test_deliveries_an_old_process_missed_are_written_and_woken_up(house: House) -> None:
    introduced(house, knowing(NEW), timedelta(minutes=10))
    ids = recorded(house, 3)
    house.wakeups.nudges.clear()
    assert filled(house, knowing(NEW)) == 3
    rows = written(house)
    assert [row.event_id for row in rows] == ids
    assert {(row.queue, row.state) for row in rows} == {("reviews", "pending")}
    assert house.wakeups.effects() == ["new"] * 3
    assert filled(house, knowing(NEW)) == 0, "once"


def test_what_is_there_is_left_as_it_is(house: House) -> None:
    introduced(house, load(), timedelta(minutes=10))
    recorded(house)
    house.run_all()
    before = written(house, "reviews.unlock")
    assert filled(house, load()) == 0
    assert written(house, "reviews.unlock") == before


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
    house: House, first_seen: timedelta, happened: timedelta, how: dict[str, timedelta], missing: int
) -> None:
    introduced(house, knowing(NEW), first_seen)
    # An event's id tells its age as well.
    with house.engine.begin() as db, without_guards(db):
        record(db, an_event())
        then = datetime.now(UTC) - happened
        new_id = text(f"CAST(overlay(CAST(id AS text) placing '{_age(then)}' from 1 for 13) AS uuid)")
        db.execute(delete(deliveries))
        db.execute(update(events).values(created_at=then, id=new_id))
    if "since" in how:
        assert filled(house, knowing(NEW), since=datetime.now(UTC) - how["since"]) == missing
    else:
        assert filled(house, knowing(NEW), **how) == missing


def _age(moment: datetime) -> str:
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def test_what_the_events_writer_knew_is_not_asked_for(house: House) -> None:
    """It has planned it, or had a reason not to: nobody listened, for instance."""
    introduced(house, load(), timedelta(minutes=10))
    recorded(house)
    with house.transactions() as db:
        db.execute(delete(deliveries))
    assert filled(house, load()) == 0
    more = knowing(*load().database_effects(), NEW)
    introduced(house, more, timedelta(minutes=10))
    assert filled(house, more) == 1
    assert [row.effect for row in written(house)] == ["new"]


def test_events_of_a_writer_without_a_catalogue_are_filled(house: House) -> None:
    introduced(house, load(), timedelta(minutes=10))
    recorded(house)
    with house.transactions() as db:
        db.execute(delete(deliveries))
        written_by_old(db)
    assert filled(house, load()) == len(load().of(SessionCompleted))


def test_an_effect_that_was_not_introduced_misses_nothing(house: House) -> None:
    recorded(house)
    assert filled(house, knowing(NEW)) == 0


def test_gaps_are_filled_page_by_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.events.backfill.PAGE", 2)
    introduced(house, knowing(NEW), timedelta(minutes=10))
    recorded(house, 5)
    assert filled(house, knowing(NEW)) == 5


def test_timers_and_targets_are_filled_in_as_they_are(house: House) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    timer = Effect(name="timer", queue="reviews", event=Event, run=nothing, due=lambda _event: later)
    each = Effect(name="each", queue="reviews", event=Event, run=nothing, targets=lambda _event: ["a", "b"])
    nobody = Effect(name="nobody", queue="reviews", event=Event, run=nothing, targets=lambda _event: [])
    introduced(house, knowing(timer, each, nobody), timedelta(minutes=10))
    recorded(house)
    assert filled(house, knowing(timer, each, nobody)) == 3
    assert [row.due_at for row in written(house, "timer")] == [later]
    assert sorted(row.target for row in written(house, "each")) == ["a", "b"]


def new_gaps(house: House, known: Subscriptions, *, now: datetime | None = None) -> tuple[int, bool]:
    """What maintain writes on one round."""
    with house.transactions() as db:
        return fill_new_gaps(db, known, now=now or datetime.now(UTC))


def test_gaps_are_looked_for_where_the_last_round_ended(house: House) -> None:
    known = knowing(NEW)
    introduced(house, known, timedelta(minutes=10))
    recorded(house, 2)
    assert new_gaps(house, known) == (2, False)
    recorded(house, 1)
    assert new_gaps(house, known) == (1, False), "what is fresh is looked at again, as it may have committed late"
    later = datetime.now(UTC) + timedelta(minutes=30)
    assert new_gaps(house, known, now=later) == (0, False)
    with house.transactions() as db:
        db.execute(delete(deliveries).where(deliveries.c.effect == "new"))
    assert new_gaps(house, known, now=later) == (0, False), "what has settled is not looked at again"
    # Other code knows other effects, and goes on from there.
    both = knowing(NEW, Effect(name="newer", queue="reviews", event=Event, run=nothing))
    assert new_gaps(house, both, now=later) == (0, False)


def test_a_long_gap_is_filled_an_hour_at_a_time(house: House) -> None:
    known = knowing(NEW)
    introduced(house, known, timedelta(hours=3, minutes=30))
    recorded(house, 2)
    assert [new_gaps(house, known) for _ in range(4)] == [(0, True), (0, True), (0, True), (2, False)]


def test_events_of_the_same_catalogue_need_one_look(house: House) -> None:
    introduced(house, load(), timedelta(minutes=10))
    new_gaps(house, load())
    with house.transactions() as db:
        make_booking(db)
        db.execute(delete(deliveries).where(deliveries.c.effect == "bookings.expire"))
        with counted_statements(db) as statements:
            assert fill_new_gaps(db, load(), now=datetime.now(UTC)) == (0, False)
    assert len(statements) == 4


def test_maintain_introduces_fills_and_forgets(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintaining, "EXPIRED_KEYS_AT_ONCE", 1)
    monkeypatch.setattr(maintaining, "MAX_BATCHES", 2)
    maintain(house.transactions)
    with house.transactions() as db:
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
        maintain(house.transactions)
    assert len(written(house, "bookings.expire")) == 1
    assert {"event": "maintain.filled_gaps", "deliveries": 1, "log_level": "warning"} in lines

    def keys() -> int:
        with house.engine.connect() as db:
            return len(db.execute(select(idempotency_keys)).all())

    assert keys() == 2, "in small batches, and not too many of them a round"
    maintain(house.transactions)
    assert keys() == 1, "what has not expired stays"


def test_maintain_logs_which_invariant_is_violated(house: House) -> None:
    recorded(house)
    house.change(house.key("reviews.unlock"), state="dead")
    with capture_logs() as lines:
        maintain(house.transactions)
    (line,) = [line for line in lines if line["event"] == "invariant.violated"]
    assert (line["invariant"], line["violations"]) == ("dead_delivery", 1)
    assert line["sample"] == [str(house.row(house.key("reviews.unlock")).id)]
