"""Tests of the invariants: silent about what is right, and each one finds the very thing that it is about."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import ColumnElement, Connection, Delete, Engine, delete, func, insert, select, text, update

from models.analytics import session_metrics
from models.bookings import booking_participants, bookings
from models.bundles import bundle_entries, bundle_purchases
from models.calendar import person_busy
from models.engine import create as create_engine
from models.events import deliveries, delivery_attempts, effect_catalogues, events, subscriptions
from models.groups import group_sessions, waitlist_entries
from models.maintenance import session_count_changes, session_counts
from models.notifications import notifications
from models.payments import PaymentMode, payment_entries, payments
from models.people import mentor_profiles
from models.reviews import review_permits, reviews
from models.sessions import session_id_of, sessions
from tests import servers
from tests.factories import (
    OPERATOR,
    acting_mentor,
    make_booking,
    make_bundle,
    make_listing,
    make_mentor,
    make_paid_booking,
    make_payment,
    make_prepaid_booking,
    make_review,
    mentor_of,
)
from tests.integration.harness import Harness, without_guards
from tests.queries import scalars
from workflows.analytics.summary import add_up_changes
from workflows.bookings.actions import accept, decline
from workflows.bookings.records import Booking
from workflows.bundles.adjust import adjust
from workflows.events.backfill import introduce
from workflows.events.event_types import BookingRequested
from workflows.events.subscriptions import load
from workflows.invariants import ABOUT, About, Finding, check_all, check_part, check_state, finding_of, queries
from workflows.reviews.permits import Permit
from workflows.sessions.actions import complete, create, start
from workflows.sessions.cancel import cancel
from workflows.sessions.records import Session, SessionWithTerms, session_query, session_with_terms_query


@pytest.fixture
def whole_story(harness: Harness) -> Session:
    """A booking that went all the way, with everything that followed, over a minute ago."""
    return play(harness)


@pytest.fixture(scope="module")
def shared_story(worker_id: str, template_database: str) -> Iterator[tuple[Engine, Session]]:
    """The same, in a database of its own, for tests that commit nothing."""
    with servers.temporary_database(f"tutelage_invariants_{worker_id}", template_database) as address:
        engine = create_engine(address)
        yield engine, play(Harness(engine))
        engine.dispose()


def play(harness: Harness) -> Session:
    with harness.transactions() as db:
        introduce(db, load())
    with harness.transactions() as db:
        mentor = make_mentor(db)
        booking = make_booking(db, listing=make_listing(db, mentor))
        now = db.scalars(select(func.now())).one()
        accepted = accept(db, actor=acting_mentor(mentor), booking=booking, now=now)
    harness.run_all()
    with harness.transactions() as db:
        session = Session.of(db.execute(session_query(session_id_of(accepted.id))).one())
        session = start(db, actor=mentor_of(session), session=session, early_start_minutes=None, now=now)
        session = complete(db, actor=mentor_of(session), session=session, now=now)
    harness.run_all()
    with harness.transactions() as db:
        make_review(db, Permit.of(db.execute(Permit.query()).one()))
    harness.run_all()
    _age(harness.engine)
    return session


def _age(engine: Engine) -> None:
    ago = timedelta(minutes=10)
    with engine.begin() as db, without_guards(db):
        db.exec_driver_sql("UPDATE bookings SET updated_at = updated_at - interval '10 minutes'")
        db.execute(update(events).values(created_at=events.c.created_at - ago))
        db.exec_driver_sql("UPDATE subscriptions SET first_seen_at = first_seen_at - interval '20 minutes'")


def findings(harness: Harness) -> dict[str, Finding]:
    with harness.engine.connect() as db:
        return {finding.name: finding for finding in check_all(db)}


def test_a_whole_story_violates_nothing(harness: Harness, whole_story: Session) -> None:
    assert whole_story.status == "completed"
    assert {name: finding.violations for name, finding in findings(harness).items()} == dict.fromkeys(queries(), 0)


def test_a_fresh_acceptance_is_no_violation_yet(harness: Harness) -> None:
    with harness.transactions() as db:
        booking = make_booking(db)
        accept(db, actor=mentor_of(booking), booking=booking, now=booking.created_at)
    assert sum(finding.violations for finding in findings(harness).values()) == 0


def test_a_bundles_story_violates_nothing(harness: Harness) -> None:
    with harness.transactions() as db:
        ago = datetime.now(UTC) - timedelta(days=2)
        bundle = make_bundle(db, at=ago, valid_days=3)
        kept, returned, declined = (make_paid_booking(db, bundle, accepted=False) for _ in range(3))
        decline(db, actor=mentor_of(declined), booking=declined, reason=None, now=ago)
        for booking in (kept, returned):
            accept(db, actor=mentor_of(booking), booking=booking, now=ago)
        session = create(db, booking_id=returned.id)
        terms = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        cancel(db, actor=OPERATOR, session=terms, reason="x", now=ago)
        extended = {"valid_to": datetime.now(UTC) + timedelta(days=9)}
        for credits in (2, -1):
            adjust(
                db, actor=OPERATOR, bundle=bundle, reason="x", credits=credits, changes=extended, any_version=True,
                now=ago,
            )  # fmt: skip
    event_id = _latest(harness, "bundle.validity_set")
    harness.make_due(harness.key("bundles.expire", event_id))
    harness.run_all()
    left = scalars(harness.engine, select(bundle_entries.c.balance).order_by(bundle_entries.c.sequence)).all()
    assert left == [5, 4, 3, 2, 3, 4, 6, 5, 0]
    assert sum(finding.violations for finding in findings(harness).values()) == 0


_OF_MENTEE = update(person_busy).where(person_busy.c.mentor_profile_id.is_(None))
_OF_MENTOR = update(person_busy).where(person_busy.c.mentor_profile_id.is_not(None))
Plant = Callable[[Connection, Session], object]
_LAPSE = update(payments).values(status="lapsed")
PLANTED: dict[str, list[tuple[str, Plant]]] = {
    "accepted_booking_without_session": [("the session is gone", lambda db, _s: db.execute(delete(sessions)))],
    "session_differs_from_booking": [
        (
            "another start",
            lambda db, s: db.execute(update(sessions).values(start_time=s.start_time - timedelta(minutes=1))),
        ),
        ("another end", lambda db, s: db.execute(update(sessions).values(end_time=s.end_time + timedelta(minutes=1)))),
        ("another mentee", lambda db, _s: db.execute(update(sessions).values(mentee_user_id=uuid4()))),
        ("no mentee", lambda db, _s: db.execute(update(sessions).values(mentee_user_id=None))),
        ("another mentor", lambda db, _s: db.execute(update(sessions).values(mentor_profile_id=uuid4()))),
        ("another id", lambda db, _s: db.execute(update(bookings).values(session_id=uuid4()))),
        ("a declined booking", lambda db, _s: db.execute(update(bookings).values(status="declined", session_id=None))),
    ],
    "bundle_differs_from_payment": [("waits for none", lambda db, _s: _sell(db, awaits_payment=True))],
    "bundle_ledger_differs": [
        ("a session less", lambda db, _s: _sell(db, remaining_sessions=4)),
        ("a session more in total", lambda db, _s: _sell(db, total_sessions=6)),
        ("another balance", lambda db, _s: _sell(db, balance=3)),
        ("no entry", lambda db, _s: (_sell(db), db.execute(delete(bundle_entries)))),
    ],
    "payment_awaited_by_nothing": [
        ("a cancelled booking", lambda db, _s: _await_payment(db, status="cancelled")),
        (
            "a bundle that can be used",
            lambda db, _s: _await_payment_of_bundle(db, awaits_payment=False),
        ),
    ],
    "payment_ledger_differs": [
        (
            "less charged",
            lambda db, _s: _pay(db, charged=0, status="lapsed", paid_at=None, reference=None, refund_due=0),
        ),
        ("nothing due", lambda db, _s: _pay(db, refund_due=0)),
        ("something refunded", lambda db, _s: _pay(db, refunded=1)),
        ("no entry", lambda db, _s: _pay(db).execute(delete(payment_entries))),
    ],
    "given_without_payment": [
        ("accepted unpaid", lambda db, _s: _await_payment(db, status="accepted", session_id=uuid4())),
        ("waits for none", lambda db, _s: _await_payment(db).execute(delete(payments))),
        (
            "waits for what has lapsed",
            lambda db, _s: _await_payment(db).execute(update(payments).values(status="lapsed")),
        ),
    ],
    "credit_differs_from_booking": [
        ("no credit spent", lambda db, _s: db.execute(update(bookings).values(bundle_purchase_id=uuid4()))),
        ("a credit that it does not name", lambda db, s: _spend(db, _sell(db), s)),
        ("a declined request that keeps it", lambda db, s: _decline_paid(db, s)),
        ("a credit given back unspent", lambda db, s: _spend(db, _sell(db), s, kind="give_back", credits=1)),
    ],
    "person_busy_twice": [
        ("a copy of a block", lambda db, _s: _overlap(db)),
        ("a session without a block", lambda db, s: _teach_meanwhile(_reopen(db), s)),
    ],
    "group_seats_differ": [
        ("one taken more", lambda db, s: _make_group(db, s, seats_taken=2)),
        ("one offered more", lambda db, s: _make_group(db, s, seats_offered=1)),
        ("a participant less", lambda db, s: _make_group(db, s).execute(delete(booking_participants))),
    ],
    "waitlist_after_start": [
        ("who waits after the start", lambda db, s: _wait(_make_group(db, s), s)),
    ],
    "block_without_part": [
        ("no participant", lambda db, _s: db.execute(_OF_MENTEE.values(user_id=uuid4()))),
        ("no mentor of it", lambda db, _s: db.execute(_OF_MENTOR.values(mentor_profile_id=uuid4()))),
        ("a cancelled session", lambda db, _s: _cancel(db)),
    ],
    "open_session_without_block": [
        ("no block", lambda db, _s: _reopen(db).execute(delete(person_busy))),
        ("none of the mentee", lambda db, _s: _reopen(db).execute(_delete_mentees_block())),
        ("too short a block", lambda db, _s: _shorten(_reopen(db))),
    ],
    "completed_session_without_effect": [
        ("no event", lambda db, _s: _forget(db, events.c.type == "session.completed")),
        (
            "a delivery less",
            lambda db, _s: db.execute(delete(deliveries).where(deliveries.c.effect == "reviews.unlock")),
        ),
    ],
    "completed_session_without_permit": [
        ("no permit", lambda db, _s: db.execute(delete(review_permits))),
        ("another user's permit", lambda db, _s: db.execute(update(review_permits).values(mentee_user_id=uuid4()))),
    ],
    "permit_without_attendance": [
        ("another user's", lambda db, _s: db.execute(update(review_permits).values(mentee_user_id=uuid4()))),
        ("another mentor's", lambda db, _s: db.execute(update(review_permits).values(mentor_profile_id=uuid4()))),
        ("of no session", lambda db, _s: db.execute(update(review_permits).values(session_id=uuid4()))),
        ("too early", lambda db, _s: _reopen(db)),
    ],
    "rating_differs_from_reviews": [
        ("a review more", lambda db, _s: db.execute(update(mentor_profiles).values(rating_sum=9, review_count=2))),
        ("another sum", lambda db, _s: db.execute(update(mentor_profiles).values(rating_sum=3))),
        ("no count", lambda db, _s: db.execute(update(mentor_profiles).values(rating_sum=0, review_count=0))),
        (
            "hidden and counted",
            lambda db, s: db.execute(update(reviews).values(hidden_at=s.end_time, hidden_reason="x")),
        ),
        ("counted and not there", lambda db, _s: db.execute(delete(reviews))),
    ],
    "session_count_differs": [
        ("one more", lambda db, _s: (add_up_changes(db), db.execute(update(session_counts).values(amount=7)))),
        ("a change is lost", lambda db, _s: db.execute(delete(session_count_changes))),
        ("a session's end was not counted", lambda db, _s: _reopen(db)),
    ],
    "notification_missing_or_doubled": [
        ("one less", lambda db, _s: db.execute(delete(notifications).where(notifications.c.id == _first(db)))),
        ("a reader more", lambda db, s: _join(db, s.booking_id)),
    ],
    "completed_session_without_metrics": [
        ("no row", lambda db, _s: db.execute(delete(session_metrics))),
        ("another mentor's", lambda db, _s: db.execute(update(session_metrics).values(mentor_profile_id=uuid4()))),
        ("another time", lambda db, s: db.execute(update(session_metrics).values(completed_at=s.start_time))),
    ],
    "delivery_long_overdue": [
        (
            "six minutes",
            lambda db, _s: _set(db, state="pending", done_at=None, due_at=func.now() - timedelta(minutes=6)),
        )
    ],
    "dead_delivery": [
        ("one", lambda db, _s: _set(db, state="dead", done_at=None)),
        ("a message by an internal error", lambda db, _s: _kill_a_message(db, error_class="internal")),
        # One that its service would not take is cancelled.
        ("a push", lambda db, _s: _kill_a_message(db, "push.send", error_class="status")),
    ],
}


def _pay(db: Connection, **columns: Any) -> Connection:
    """Plant a payment that is paid, with a refund that is due."""
    payment = make_payment(db)
    if columns:
        db.execute(update(payments).where(payments.c.id == payment.id).values(columns))
    return db


def _await_payment(db: Connection, **columns: Any) -> Connection:
    """Plant a booking that awaits its payment."""
    booking = make_prepaid_booking(db)
    if columns:
        db.execute(update(bookings).where(bookings.c.id == booking.id).values(columns))
    return db


def _await_payment_of_bundle(db: Connection, **columns: Any) -> None:
    """Plant a bundle that awaits its payment."""
    bundle = make_bundle(db, payment_mode=PaymentMode.BEFORE)
    db.execute(update(bundle_purchases).where(bundle_purchases.c.id == bundle.id).values(columns))


def _sell(db: Connection, *, balance: int = 5, **columns: int) -> UUID:
    """Plant a bundle of five sessions with the entry of its purchase."""
    row: dict[str, Any] = {
        "id": uuid4(),
        "mentee_user_id": uuid4(),
        "course_id": uuid4(),
        "product_id": uuid4(),
        "total_sessions": 5,
    }
    row |= {"remaining_sessions": 5, "price_amount": 0, "price_currency": "USD", "valid_from": func.now(), **columns}
    db.execute(insert(bundle_purchases).values(row))
    entry = {"id": uuid4(), "bundle_purchase_id": row["id"], "kind": "purchase", "credits": 5, "balance": balance}
    db.execute(insert(bundle_entries).values(**entry, actor="system"))
    bundle_id: UUID = row["id"]
    return bundle_id


def _spend(db: Connection, bundle_id: UUID, session: Session, *, kind: str = "spend", credits: int = -1) -> None:
    entry = {"id": uuid4(), "bundle_purchase_id": bundle_id, "kind": kind, "credits": credits, "balance": 4}
    db.execute(insert(bundle_entries).values(**entry, booking_id=session.booking_id, actor="system"))


def _decline_paid(db: Connection, session: Session) -> None:
    bundle_id = _sell(db)
    _spend(db, bundle_id, session)
    db.execute(update(bookings).values(status="declined", session_id=None, bundle_purchase_id=bundle_id))


def _overlap(db: Connection) -> None:
    db.exec_driver_sql("ALTER TABLE person_busy DROP CONSTRAINT ex_person_busy_user_id_busy")
    query = select(person_busy).where(person_busy.c.mentor_profile_id.is_not(None))
    block = dict(db.execute(query).one()._mapping)
    db.execute(insert(person_busy).values(block | {"id": uuid4(), "booking_id": uuid4()}))


def _delete_mentees_block() -> Delete:
    return delete(person_busy).where(person_busy.c.mentor_profile_id.is_(None))


def _teach_meanwhile(db: Connection, session: Session) -> None:
    """Let the mentee's calendar have a session as a mentor instead of the one that they attend."""
    other = {"booking_id": uuid4(), "mentor_profile_id": uuid4()}
    db.execute(_OF_MENTEE.where(person_busy.c.booking_id == session.booking_id).values(other))


def _reopen(db: Connection) -> Connection:
    db.execute(update(sessions).values(status="in_progress", completed_at=None))
    return db


def _cancel(db: Connection) -> None:
    now = func.now()
    db.execute(update(sessions).values(status="cancelled", started_at=None, completed_at=None, cancelled_at=now))


def _shorten(db: Connection) -> None:
    db.execute(update(person_busy).values(busy=text("tstzrange(lower(busy), upper(busy) - interval '1 minute')")))


def _forget(db: Connection, which: ColumnElement[bool]) -> None:
    forgotten = select(events.c.id).where(which)
    db.execute(delete(deliveries).where(deliveries.c.event_id.in_(forgotten)))
    db.execute(delete(notifications).where(notifications.c.event_id.in_(forgotten)))
    db.execute(delete(events).where(which))


def _first(db: Connection) -> UUID:
    query = select(notifications.c.id).where(notifications.c.kind == "session_completed").limit(1)
    found: UUID = db.scalars(query).one()
    return found


def _make_group(db: Connection, session: Session, **seats: int) -> Connection:
    """Replace the individual booking by a group, with the mentee in its only seat."""
    seat = {"seat_id": uuid4(), "price_amount": 0, "price_currency": "USD", "start_time": func.now()}
    db.execute(update(booking_participants).values(**seat))
    counted = {"capacity": 3, "seats_taken": 1, **seats}
    group = {"booking_id": session.booking_id, "template_id": uuid4(), "occurs_on": func.current_date()}
    db.execute(insert(group_sessions).values(**group, **counted))
    return db


def _wait(db: Connection, session: Session) -> None:
    ago = func.now() - timedelta(minutes=11)
    db.execute(update(group_sessions).values(cancelled_at=ago))
    db.execute(insert(waitlist_entries).values(id=uuid4(), booking_id=session.booking_id, user_id=uuid4()))


def _latest(harness: Harness, event_type: str) -> UUID:
    query = select(events.c.id).where(events.c.type == event_type).order_by(events.c.sequence.desc()).limit(1)
    found: UUID = scalars(harness.engine, query).one()
    return found


def _join(db: Connection, booking_id: UUID) -> None:
    db.execute(insert(booking_participants).values(booking_id=booking_id, user_id=uuid4()))


def _set(db: Connection, **values: object) -> None:
    db.execute(update(deliveries).where(deliveries.c.effect == "sessions.create").values(**values))


def _kill_a_message(db: Connection, effect: str = "webhooks.send", **attempt: object) -> None:
    key = {"event_id": db.scalars(select(events.c.id).limit(1)).one(), "effect": effect, "target": "x"}
    values = {"queue": "webhooks", "due_at": func.now(), "nudge_at": func.now(), "state": "dead", "attempts": 2}
    db.execute(insert(deliveries).values(**key, id=uuid4(), **values))
    for number, outcome in ((1, {"error_class": "internal"}), (2, attempt)):
        row = {"attempt": number, "outcome": "dead", "duration_ms": 1, **outcome}
        db.execute(insert(delivery_attempts).values(**key, **row))


def test_only_what_an_events_writer_did_not_know_is_missed(harness: Harness, whole_story: Session) -> None:
    known, unknown = "plugins.known", "plugins.unknown"
    of_completion = {"event_type": "session.completed", "queue": "reviews", "first_seen_at": whole_story.created_at}
    with harness.engine.begin() as db, without_guards(db):
        writers = select(events.c.catalogue).where(events.c.type == "session.completed").scalar_subquery()
        knew = func.array_append(effect_catalogues.c.effects, f"{known} session.completed")
        db.execute(update(effect_catalogues).where(effect_catalogues.c.id == writers).values(effects=knew))
        db.execute(insert(subscriptions).values(effect=known, **of_completion))
        db.execute(update(subscriptions).values(first_seen_at=func.now() - timedelta(hours=1)))
    assert findings(harness)["completed_session_without_effect"].violations == 0
    with harness.engine.begin() as db:
        db.execute(insert(subscriptions).values(effect=unknown, **of_completion))
        db.execute(update(subscriptions).values(first_seen_at=func.now() - timedelta(hours=1)))
    assert findings(harness)["completed_session_without_effect"].sample == [str(whole_story.id)]


# A partner's receiver is no part of the harness: metrics and operators' lists show it.
def test_what_a_receiver_would_not_take_is_no_violation(harness: Harness, whole_story: Session) -> None:
    assert whole_story
    with harness.engine.connect() as db:
        _kill_a_message(db, error_class="status", status_code=410)
        found = {finding.name: finding for finding in check_all(db)}
    assert found["dead_delivery"].violations == 0
    assert all(finding.violations == 0 for finding in found.values())


# Attempts are kept for good, and so are dead messages until an operator looks: far more of both than internal errors.
MANY = """
WITH made AS (
    INSERT INTO deliveries (event_id, effect, target, id, queue, state, due_at, nudge_at, attempts, done_at)
    SELECT gen_random_uuid(), 'webhooks.send', 'x', gen_random_uuid(), 'webhooks',
           (CASE WHEN dies THEN 'dead' ELSE 'done' END)::delivery_state, now(), now(), 3,
           CASE WHEN dies THEN NULL ELSE now() END
    FROM generate_series(1, 10000) AS number CROSS JOIN LATERAL (SELECT number % 5 = 0 AS dies) AS fate
    RETURNING event_id, effect, target
)
INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, error_class, duration_ms)
SELECT event_id, effect, target, attempt, 'retry', CASE WHEN random() < 0.001 THEN 'internal' ELSE 'status' END, 1
FROM made CROSS JOIN generate_series(1, 3) AS attempt
"""


def test_defects_are_found_without_reading_every_attempt(engine: Engine) -> None:
    with engine.begin() as db, without_guards(db):
        db.execute(text(MANY))
    with engine.begin() as db:
        db.execute(text("ANALYZE deliveries, delivery_attempts"))
        db.execute(text("SET LOCAL enable_seqscan = on"))
        plan = db.execute(text(f"EXPLAIN {queries()['dead_delivery']}")).scalars().all()
    assert any("ix_delivery_attempts_internal" in line for line in plan), plan
    assert not any("Seq Scan" in line for line in plan), plan


def test_every_invariant_is_planted_here() -> None:
    assert set(PLANTED) == set(queries())


@pytest.mark.parametrize(
    ("name", "plant", "whole_alone"),
    [
        # A permit of no session belongs to no booking that could be asked about.
        pytest.param(name, plant, what == "of no session", id=f"{name}: {what}")
        for name, cases in PLANTED.items()
        for what, plant in cases
    ],
)
def test_each_invariant_finds_its_violation(
    shared_story: tuple[Engine, Session], name: str, plant: Plant, whole_alone: bool
) -> None:
    engine, session = shared_story
    with engine.connect() as db:
        transaction = db.begin()
        with without_guards(db):
            plant(db, session)
            found = {finding.name: finding for finding in check_all(db)}[name]
            in_part = _asked_in_part(db, name, session)
        transaction.rollback()
    assert found.violations >= 1
    assert found.sample
    assert set(in_part) <= set(found.sample)
    assert in_part or whole_alone, "what is looked at all the time finds it as well"


def _asked_in_part(db: Connection, name: str, session: Session) -> list[str]:
    about = ABOUT.get(name, About.BOOKINGS)
    if about is About.STATE:
        return check_state(db, name)
    prepaid = select(bookings.c.id).where(bookings.c.payment_mode == "before")
    asked = {
        About.BOOKINGS: db.scalars(prepaid).one_or_none() or session.booking_id,
        About.PAYMENTS: db.scalars(select(payments.c.id)).one_or_none(),
        About.MENTORS: session.mentor_profile_id,
        About.BUNDLES: db.scalars(select(bundle_purchases.c.id).limit(1)).one_or_none(),
    }[about]
    assert asked is not None
    assert check_part(db, name, [uuid4()]) == []
    found = check_part(db, name, [asked])
    # Known violations are checked again by it.
    assert {violation.about for violation in found} <= {str(asked)}
    return [violation.subject for violation in found]


def test_a_sample_is_a_few_of_many(harness: Harness) -> None:
    with harness.transactions() as db:
        made: list[Booking] = [make_booking(db) for _ in range(4)]
    assert len(made) == 4
    with harness.engine.begin() as db, without_guards(db):
        db.execute(update(deliveries).values(state="dead"))
    dead = findings(harness)["dead_delivery"]
    assert (dead.violations, len(dead.sample)) == (len(made) * len(load().of(BookingRequested)), 5)


@pytest.mark.parametrize("name", queries())
def test_every_description_is_a_whole_sentence(name: str) -> None:
    """It is the first line of the query: one that goes on in the next would end in mid-sentence."""
    meaning = finding_of(name, []).meaning
    assert meaning[0].isupper()
    assert meaning.endswith(".")
    assert len(meaning) > len("A b c.")
