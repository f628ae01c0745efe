"""Tests of recording: the event, everything that must follow, and nothing of either after a rollback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, func, insert, select
from structlog.testing import capture_logs

from models.events import deliveries, events
from models.webhooks import EndpointState, webhook_endpoints
from tests.factories import accept_booking, make_booking
from tests.integration.harness import Harness
from workflows.effects.messages import SEND_MAIL
from workflows.events.catalogue import BookingAccepted, SessionCompleted
from workflows.events.delivery import Cancel
from workflows.events.record import defer_write, drain_recorded, flush_deferred, follow_up, record, recorded
from workflows.events.subscriptions import Effect, Subscriptions, activate, load
from workflows.identity.actor import SYSTEM

NOW = datetime.now(UTC)


def an_event(event_type: type = SessionCompleted) -> SessionCompleted:
    """An event about nothing that exists; the tables of events do not ask."""
    ids = {"session_id": uuid4(), "booking_id": uuid4(), "mentor_profile_id": uuid4(), "mentee_user_id": uuid4()}
    own = {"status": "completed", "start_time": NOW, "end_time": NOW + timedelta(hours=1), "version": 3}
    event: SessionCompleted = event_type(actor=SYSTEM.name, occurred_at=NOW, **ids, **own)
    return event


def named(event_id: UUID, effect: str) -> UUID:
    """The id of a delivery without a target, by its key."""
    digest = sha256(f"{event_id}/{effect}/".encode()).hexdigest()
    return UUID(f"{digest[:12]}8{digest[13:16]}8{digest[17:32]}")


def private(*effects: Effect) -> Subscriptions:
    """Only these effects follow from anything, in this test."""
    known = Subscriptions()
    for effect in effects:
        known.add(effect)
    return activate(known)


def nothing(_db: Connection, _event: object, *_target: str, now: datetime) -> None:
    """An effect that does nothing."""
    del now


def test_an_event_is_written_with_a_pending_delivery_per_effect(db: Connection) -> None:
    event = an_event()
    record(db, event)
    stored = db.execute(select(events).where(events.c.id == event.id)).one()
    assert (stored.type, stored.subject_type, stored.subject_id) == ("session.completed", "session", event.session_id)
    assert (stored.actor, stored.data, stored.occurred_at) == ("system", event.data(), NOW)
    assert stored.sequence > 0
    rows = db.execute(select(deliveries, func.now().label("now")).where(deliveries.c.event_id == event.id)).all()
    assert {row.effect: row.queue for row in rows} == {
        effect.name: effect.queue for effect in load().of(SessionCompleted)
    }
    for row in rows:
        assert (row.state, row.target, row.attempts, row.nudges, row.lease_until) == ("pending", "", 0, 0, None)
        # Due now by the database's clock; nudged by its own process, so that the sweep looks only 2 s later.
        assert (row.due_at, row.nudge_at) == (row.now, row.now + timedelta(seconds=2))
        assert row.id == named(event.id, row.effect)


def test_an_event_is_stored_with_its_transaction(db: Connection) -> None:
    for _ in range(2):
        record(db, an_event())
    rows = db.execute(select(events.c.xid, events.c.sequence, func.pg_current_xact_id()).order_by(events.c.sequence))
    one, two = rows.all()
    assert one.xid == two.xid == one.pg_current_xact_id
    assert one.sequence < two.sequence


def test_deliveries_due_now_are_woken_up_and_timers_are_not(db: Connection) -> None:
    drain_recorded(db)
    booking = make_booking(db)
    notes = drain_recorded(db)
    assert [event.type for event in notes.events] == ["booking.requested"]
    assert [wakeup.effect for wakeup in notes.wakeups] == ["notifications.booking_requested"]
    assert {(wakeup.subject, wakeup.subject_id) for wakeup in notes.wakeups} == {("booking", booking.id)}
    assert drain_recorded(db).wakeups == [], "notes are taken once"


@pytest.mark.parametrize(
    ("ahead", "due"),
    [
        # Before its start.
        (timedelta(hours=5), timedelta(hours=5)),
        # And within 72 hours.
        (timedelta(hours=100), timedelta(hours=72)),
    ],
)
def test_a_request_expires_at_its_start_or_after_72_hours(db: Connection, ahead: timedelta, due: timedelta) -> None:
    booking = make_booking(db, start_time=datetime.now(UTC) + ahead)
    row = db.execute(select(deliveries).where(deliveries.c.effect == "bookings.expire")).one()
    assert abs(row.due_at - booking.created_at - due) < timedelta(seconds=10)
    # Nobody else nudges a timer, so that the sweep looks on time.
    assert row.nudge_at == row.due_at


def test_an_effect_with_targets_has_a_delivery_each(db: Connection) -> None:
    private(
        Effect(name="each", queue="reviews", event=SessionCompleted, run=nothing, targets=lambda _e: ["a", "b"]),
        Effect(name="nobody", queue="reviews", event=SessionCompleted, run=nothing, targets=lambda _e: []),
        Effect(name="elsewhere", queue="reviews", event=BookingAccepted, run=nothing),
    )
    drain_recorded(db)
    event = an_event()
    record(db, event)
    rows = db.execute(select(deliveries.c.effect, deliveries.c.target, deliveries.c.id)).all()
    assert sorted((row.effect, row.target) for row in rows) == [("each", "a"), ("each", "b")]
    assert len({row.id for row in rows}) == 2
    assert sorted(wakeup.target for wakeup in drain_recorded(db).wakeups) == ["a", "b"]


def test_an_event_without_effects_is_recorded(db: Connection) -> None:
    private()
    event = an_event()
    record(db, event)
    assert db.scalar(select(events.c.id)) == event.id
    assert db.execute(select(deliveries)).all() == []


def test_what_follows_later_is_added_once_and_nudged_once(db: Connection) -> None:
    event = an_event()
    record(db, event)
    drain_recorded(db)
    follow_up(db, event, SEND_MAIL, ["one", "two"])
    assert sorted(wakeup.target for wakeup in drain_recorded(db).wakeups) == ["one", "two"]
    follow_up(db, event, SEND_MAIL, ["two", "three"])
    assert [wakeup.target for wakeup in drain_recorded(db).wakeups] == ["three"]
    follow_up(db, event, SEND_MAIL, [])
    added = select(deliveries.c.target).where(deliveries.c.effect == "mail.send")
    assert sorted(db.scalars(added)) == ["one", "three", "two"]


def test_a_commit_nudges_what_it_recorded_and_only_then(harness: Harness) -> None:
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
        assert harness.wakeups.kept == []
    assert harness.wakeups.effects() == [
        "notifications.booking_accepted",
        "notifications.booking_requested",
        "sessions.create",
    ]


def test_a_commit_logs_each_event_with_ids_and_actor(harness: Harness) -> None:
    with capture_logs() as lines, harness.transactions() as db:
        booking = make_booking(db, title="Private words", notes="Private notes")
    (line,) = lines
    assert line["event"] == "booking.requested"
    assert line["log_level"] == "info"
    assert line["booking_id"] == booking.id
    assert line["actor"] == f"user:{booking.mentee_user_id}"
    assert "Private" not in str(line)


def _book_and_think_again(harness: Harness) -> None:
    with harness.transactions() as db:
        make_booking(db)
        raise Cancel("on second thoughts")


def test_a_rollback_leaves_no_event_no_delivery_and_no_nudge(harness: Harness) -> None:
    with pytest.raises(Cancel):
        _book_and_think_again(harness)
    assert harness.wakeups.kept == []
    with harness.engine.connect() as db:
        assert db.execute(select(events)).all() == []
        assert db.execute(select(deliveries)).all() == []
    # The connection goes back to the pool without its notes.
    with harness.transactions() as db:
        assert drain_recorded(db).wakeups == []
    assert harness.wakeups.kept == []


def test_a_commit_that_fails_nudges_nothing(harness: Harness) -> None:
    def spoil() -> None:
        with harness.transactions() as db:
            make_booking(db)
            # Takes effect at the commit alone: the owner of this endpoint does not exist.
            db.exec_driver_sql("ALTER TABLE webhook_endpoints ALTER CONSTRAINT"
                               " fk_webhook_endpoints_mentor_profile_id DEFERRABLE INITIALLY DEFERRED")  # fmt: skip
            db.execute(
                insert(webhook_endpoints).values(
                    id=uuid4(),
                    mentor_profile_id=uuid4(),
                    url="https://x.example",
                    event_types=["*"],
                    state=EndpointState.PENDING,
                )
            )

    with pytest.raises(Exception, match="fk_webhook_endpoints_mentor_profile_id"):
        spoil()
    assert harness.wakeups.kept == []


def test_deferred_writes_are_merged_and_cut_back_with_their_savepoint(db: Connection) -> None:
    written: list[list[str]] = []

    def write(_db: Connection, items: list[str]) -> None:
        written.append(items)

    drain_recorded(db)
    defer_write(db, write, "one")
    before = recorded(db).mark()
    defer_write(db, write, "undone")
    record(db, an_event())
    recorded(db).cut_back(before)
    defer_write(db, write, "two")
    flush_deferred(db)
    flush_deferred(db)
    assert written == [["one", "two"]]
    assert drain_recorded(db).events == []
