"""Tests of recording: the event, everything that must follow, and nothing of either after a rollback."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text
from structlog.testing import capture_logs

from models.events import deliveries, events
from models.sessions import session_id_of
from models.webhooks import EndpointState, webhook_endpoints
from tests.factories import accept_booking, complete_session, make_booking, make_event, make_mentor, start_session
from tests.integration.endpoints import an_event as started_event
from tests.integration.endpoints import listening
from tests.integration.harness import Harness, counted_statements
from tests.queries import execute
from workflows.events.delivery import Cancel
from workflows.events.event_types import BookingAccepted, BookingRequested, SessionCompleted
from workflows.events.record import defer_write, drain_recorded, flush_deferred, follow_up, record, recorded
from workflows.events.subscriptions import Effect, Subscriptions, activate, activate_policy, load
from workflows.identity.actor import SYSTEM
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.notifications.mails import SEND_MAIL
from workflows.sessions.records import Session, session_query
from workflows.webhooks.deliveries import FAN_OUT_ROWS

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
    return UUID(f"{str(event_id)[4:8]}{digest[4:12]}8{digest[13:16]}8{digest[17:32]}")


def private(*effects: Effect) -> Subscriptions:
    known = Subscriptions()
    for effect in effects:
        known.add(effect)
    return activate(known)


def nothing(_db: Connection, _event: object, *_target: str, now: datetime) -> None:
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
    # Only the sweep wakes up timers, so it looks on time.
    assert row.nudge_at == row.due_at


def test_an_effect_with_targets_has_a_delivery_each(db: Connection) -> None:
    private(
        Effect(name="each", queue="reviews", event=SessionCompleted, run=nothing, targets=lambda _e: ["a", "b"]),
        Effect(name="untargeted", queue="reviews", event=SessionCompleted, run=nothing, targets=lambda _e: []),
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


# Issue: what a life costs. Request, acceptance, session, start, completion, and the review that it unlocks.
MOST_DELIVERIES_OF_A_LIFE = 25


def targets(db: Connection, event_id: UUID) -> dict[UUID | None, str]:
    """To which endpoints an event goes, and in which state its delivery is."""
    rows = db.execute(
        select(deliveries.c.endpoint_id, deliveries.c.state).where(
            deliveries.c.event_id == event_id, deliveries.c.effect == "webhooks.send"
        )
    )
    return {row.endpoint_id: str(row.state) for row in rows}


def test_an_event_and_all_that_follows_is_one_statement(harness: Harness) -> None:
    endpoints = {listening(harness, f"https://{n}.example") for n in range(3)}
    with harness.transactions() as db, counted_statements(db) as statements:
        event = make_event(db)
        assert len(statements) == 1
        assert targets(db, event.id) == dict.fromkeys(endpoints, "pending")
    sent = [wakeup for wakeup in harness.wakeups.kept if wakeup.effect == "webhooks.send"]
    assert {wakeup.target for wakeup in sent} == {str(each) for each in endpoints}
    assert {(wakeup.queue, wakeup.subject_id) for wakeup in sent} == {("webhooks", event.subject_id)}


def test_several_events_are_one_statement_and_keep_their_order(harness: Harness) -> None:
    listening(harness)
    with harness.transactions() as db:
        made = [started_event() for _ in range(3)]
        with counted_statements(db) as statements:
            record(db, *made)
        assert len(statements) == 1
        rows = db.execute(text("SELECT id FROM events ORDER BY sequence")).scalars().all()
        assert rows == [event.id for event in made]
        assert all(len(targets(db, event.id)) == 1 for event in made)


def test_a_mentors_endpoint_gets_events_of_that_mentor_only(harness: Harness) -> None:
    with harness.transactions() as db:
        booking = make_booking(db)
        other = make_mentor(db)
    operators = listening(harness, "https://o.example")
    own = listening(harness, "https://a.example", mentor_profile_id=booking.mentor_profile_id)
    listening(harness, "https://b.example", mentor_profile_id=other.id)
    with harness.transactions() as db:
        accept_booking(db, booking)
        event_id = own_event(db, "booking.accepted")
        assert targets(db, event_id) == {own: "pending", operators: "pending"}


def own_event(db: Connection, event_type: str) -> UUID:
    event_id: UUID = db.execute(text("SELECT id FROM events WHERE type = :type"), {"type": event_type}).scalar_one()
    return event_id


@pytest.mark.parametrize(
    ("types", "is_sent"),
    [(["*"], True), (["booking.*"], True), (["booking.requested"], True), (["booking.accepted"], False)],
)
def test_by_name_by_family_or_everything(harness: Harness, types: list[str], is_sent: bool) -> None:
    listening(harness, event_types=types)
    with harness.transactions() as db:
        make_booking(db)
        assert bool(targets(db, own_event(db, BookingRequested.type))) is is_sent


def test_internal_events_go_to_no_endpoint(harness: Harness) -> None:
    listening(harness)
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    harness.deliver("sessions.create")
    with harness.engine.connect() as db:
        reminders = db.scalars(text("SELECT id FROM events WHERE type = 'session.reminder_set'")).all()
        assert [targets(db, event_id) for event_id in reminders] == [{}, {}]


def test_listeners_are_found_by_an_index(engine: Engine) -> None:
    with engine.begin() as db:
        mentors = [make_mentor(db).id for _ in range(3)]
        db.execute(text("SET LOCAL session_replication_role = replica"))
        db.execute(
            text(
                "INSERT INTO webhook_endpoints (id, mentor_profile_id, url, event_types, state)"
                " SELECT gen_random_uuid(), gen_random_uuid(), 'https://' || n || '.example', ARRAY['*'], 'active'"
                " FROM generate_series(1, 20000) n"
            )
        )
        db.execute(text("ANALYZE webhook_endpoints"))
        db.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        db.execute(text("SET LOCAL enable_seqscan = on"))
        db.execute(
            text(
                "PREPARE fan_out(uuid[], text[], uuid[]) AS"
                " WITH announced AS (SELECT * FROM unnest($1, $2, $3) AS announced(event_id, type, mentor_profile_id))"
                f" SELECT * FROM ({FAN_OUT_ROWS}) AS found"
            )
        )
        plan = db.execute(
            text(f"EXPLAIN EXECUTE fan_out(ARRAY['{mentors[0]}']::uuid[], ARRAY['a.b'], ARRAY['{mentors[0]}']::uuid[])")
        ).scalars()
        lines = "\n".join(plan)
        assert "Seq Scan on webhook_endpoints" not in lines, lines


def test_a_life_runs_at_most_twenty_five_deliveries(harness: Harness) -> None:
    activate_policy(OperatorPolicy())
    listening(harness)
    with harness.transactions() as db:
        booking = make_booking(db)
    harness.run_all()
    with harness.transactions() as db:
        accept_booking(db, booking)
    harness.run_all()
    with harness.transactions() as db:
        session = Session.of(db.execute(session_query(session_id_of(booking.id))).one())
        started = start_session(db, session)
    harness.run_all()
    with harness.transactions() as db:
        complete_session(db, started)
    harness.run_all()
    rows = execute(harness.engine, select(deliveries.c.effect, deliveries.c.state)).all()
    assert {str(row.state) for row in rows} == {"done", "pending"}
    ran = Counter(row.effect for row in rows if row.state == "done")
    assert ran.total() <= MOST_DELIVERIES_OF_A_LIFE, ran
    assert {row.effect for row in rows if row.state == "pending"} == {
        *("bookings.expire", "bookings.remind", "notifications.session_reminder")
    }
    assert ran["webhooks.send"] == 6
    assert ran["mail.send"] == 5
