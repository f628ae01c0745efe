"""Tests of the guards in the database: what gets past the workflows is refused there, by a name."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Table, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from models.bookings import BOOKING_TRANSITIONS, BookingStatus, booking_participants, bookings
from models.bundles import bundle_purchases
from models.events import DELIVERY_TRANSITIONS, DeliveryState, deliveries, events
from models.payments import PaymentMode, payment_entries, payments
from models.reviews import reviews
from models.sessions import SESSION_TRANSITIONS, SessionStatus, sessions
from tests import factories
from tests.factories import (
    OPERATOR,
    accept_booking,
    acting_mentor,
    make_booking,
    make_bundle,
    make_listing,
    make_mentor,
    make_payment,
    make_prepaid_booking,
    make_review,
    make_session,
    make_user,
)
from workflows.audit.log import write_audit_entry
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.kernel.constraints import constraint_of

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
# After all times that the factories give, however many tests ask them.
MUCH_LATER = NOW + timedelta(days=3650)

# Columns that a row must have in a state, so that the guard refuses the step alone.
HELD: dict[str, dict[str, dict[str, Any]]] = {
    "bookings": {state: {"session_id": uuid4() if state == "accepted" else None} for state in BookingStatus},
    "sessions": {
        "scheduled": {"started_at": None, "completed_at": None, "cancelled_at": None},
        "in_progress": {"started_at": NOW, "completed_at": None, "cancelled_at": None},
        "completed": {"started_at": NOW, "completed_at": NOW, "cancelled_at": None},
        "cancelled": {"completed_at": None, "cancelled_at": NOW, "cancellation": {"cancelledBy": "operator"}},
    },
    "deliveries": {state: {"done_at": NOW if state == "done" else None} for state in DeliveryState},
}


@contextmanager
def refused(db: Connection, name: str) -> Iterator[None]:
    """The block violates exactly the constraint or guard of that name, and leaves nothing."""
    with pytest.raises(IntegrityError) as violation, db.begin_nested():
        yield
    assert constraint_of(violation.value) == name


def _state_of(name: str, state: str) -> dict[str, Any]:
    return {"state" if name == "deliveries" else "status": state, **HELD[name][state]}


MACHINES: dict[str, tuple[Table, type[StrEnum], Mapping[Any, frozenset[Any]]]] = {
    "bookings": (bookings, BookingStatus, BOOKING_TRANSITIONS),
    "sessions": (sessions, SessionStatus, SESSION_TRANSITIONS),
    "deliveries": (deliveries, DeliveryState, DELIVERY_TRANSITIONS),
}
# The steps before each state that is not reached in one.
STEPS_BEFORE = {("sessions", "completed"): ["in_progress"]}
PAIRS = [
    pytest.param(name, here, there, there in allowed[here], id=f"{name}: {here} to {there}")
    for name, (_table, states, allowed) in MACHINES.items()
    for here, there in product(states, repeat=2)
    if here != there
]


def row_in(db: Connection, name: str, state: str) -> UUID:
    """A booking, session or delivery that reached that state by the allowed steps."""
    table, states, _allowed = MACHINES[name]
    if name == "sessions":
        found = make_session(db).id
    elif name == "bookings":
        found = make_booking(db).id
    else:
        of_booking = events.c.subject_id == make_booking(db).id, deliveries.c.effect == "bookings.expire"
        joined = select(deliveries.c.id).join(events, events.c.id == deliveries.c.event_id)
        found = db.scalars(joined.where(*of_booking)).one()
    if state != next(iter(states)):
        for step in [*STEPS_BEFORE.get((name, state), []), state]:
            db.execute(update(table).where(table.c.id == found).values(_state_of(name, step)))
    return found


@pytest.mark.parametrize(("name", "here", "there", "allowed"), PAIRS)
def test_a_row_moves_in_sql_only_as_its_machine_allows(
    db: Connection, name: str, here: str, there: str, allowed: bool
) -> None:
    table = MACHINES[name][0]
    step = update(table).where(table.c.id == row_in(db, name, here)).values(_state_of(name, there))
    if (name, here) == ("bookings", "accepted"):
        # The session's id has a guard of its own, which must not be the one that refuses here.
        step = step.values(session_id=bookings.c.session_id)
    guard = f"tr_{name}_{'state' if name == 'deliveries' else 'status'}"
    with nullcontext() if allowed else refused(db, guard):
        assert db.execute(step).rowcount == 1


@pytest.mark.parametrize("status", BookingStatus)
def test_a_booking_begins_as_a_draft_or_accepted_or_awaits_its_payment(db: Connection, status: str) -> None:
    held = {"status": status, **HELD["bookings"][status]}
    copy = {**_columns(db, bookings, make_booking(db).id), "id": uuid4(), "start_time": NOW, **held}
    with nullcontext() if status in ("draft", "accepted", "awaiting_payment") else refused(db, "tr_bookings_status"):
        db.execute(insert(bookings).values(copy))


@pytest.mark.parametrize("status", SessionStatus)
def test_a_session_begins_as_scheduled(db: Connection, status: str) -> None:
    held = {"status": status, **HELD["sessions"][status]}
    session = _session_of(db, accept_booking(db, make_booking(db)).id) | held
    with nullcontext() if status == "scheduled" else refused(db, "tr_sessions_status"):
        db.execute(insert(sessions).values(session))


def _columns(db: Connection, table: Any, id: UUID) -> dict[str, Any]:
    return dict(db.execute(select(table).where(table.c.id == id)).one()._mapping)


def _session_of(db: Connection, booking_id: UUID) -> dict[str, Any]:
    booking = _columns(db, bookings, booking_id)
    return {
        "id": booking["session_id"] or uuid4(),
        "booking_id": booking_id,
        "status": "scheduled",
        **{name: booking[name] for name in ("mentor_profile_id", "mentee_user_id", "start_time", "end_time")},
    }


Change = Callable[[Connection], dict[str, Any]]
UNCHANGEABLE: list[tuple[str, Change]] = [
    ("id", lambda _db: {"id": uuid4()}),
    ("mentor", lambda db: {"mentor_profile_id": make_listing(db).mentor_profile_id}),
    ("mentee", lambda db: {"mentee_user_id": make_user(db).id}),
    ("start", lambda _db: {"start_time": NOW - HOUR}),
    ("start by a microsecond", lambda _db: {"start_time": bookings.c.start_time + timedelta(microseconds=1)}),
    ("end", lambda _db: {"end_time": MUCH_LATER}),
]


@pytest.mark.parametrize("state", BookingStatus)
@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(change, id=name) for name, change in UNCHANGEABLE),
        pytest.param(lambda db: {"listing_id": make_listing(db).id}, id="listing"),
        pytest.param(lambda _db: {"kind": "group", "mentee_user_id": None}, id="kind"),
    ],
)
def test_parties_listing_and_times_of_a_booking_never_change(db: Connection, state: str, change: Change) -> None:
    booking_id, values = row_in(db, "bookings", state), change(db)
    with refused(db, "tr_bookings_unchangeable"):
        db.execute(update(bookings).where(bookings.c.id == booking_id).values(**values))


@pytest.mark.parametrize("state", SessionStatus)
@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(change, id=name) for name, change in UNCHANGEABLE if "microsecond" not in name),
        pytest.param(lambda db: {"booking_id": accept_booking(db, make_booking(db)).id}, id="booking"),
    ],
)
def test_booking_parties_and_times_of_a_session_never_change(db: Connection, state: str, change: Change) -> None:
    session_id, values = row_in(db, "sessions", state), change(db)
    with refused(db, "tr_sessions_unchangeable"):
        db.execute(update(sessions).where(sessions.c.id == session_id).values(**values))


@pytest.mark.parametrize("state", ["draft", "declined", "cancelled"])
def test_only_an_accepted_booking_becomes_a_session(db: Connection, state: str) -> None:
    session = _session_of(db, row_in(db, "bookings", state))
    with refused(db, "tr_sessions_booking_accepted"):
        db.execute(insert(sessions).values(session))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        # There is no such booking.
        ({"booking_id": uuid4()}, "tr_sessions_booking_accepted"),
        # Its id and its mentee are the booking's.
        ({"id": uuid4()}, "tr_sessions_of_its_booking"),
        ({"mentee_user_id": None}, "tr_sessions_of_its_booking"),
        # Its times and its mentor are held by the composite key, which no race gets past.
        ({"start_time": NOW}, "fk_sessions_booking_id_start_time_end_time_mentor_profile_id"),
        ({"end_time": MUCH_LATER}, "fk_sessions_booking_id_start_time_end_time_mentor_profile_id"),
    ],
)
def test_a_session_that_differs_from_its_booking_is_refused(db: Connection, changed: dict[str, Any], name: str) -> None:
    session = _session_of(db, accept_booking(db, make_booking(db)).id)
    with refused(db, name):
        db.execute(insert(sessions).values(session | changed))


def test_a_session_with_another_mentor_is_refused(db: Connection) -> None:
    session = _session_of(db, accept_booking(db, make_booking(db)).id)
    other = make_listing(db).mentor_profile_id
    with refused(db, "fk_sessions_booking_id_start_time_end_time_mentor_profile_id"):
        db.execute(insert(sessions).values(session | {"mentor_profile_id": other}))


def test_a_booking_cannot_drift_from_its_session_without_triggers(db: Connection) -> None:
    session = make_session(db)
    with refused(db, "fk_sessions_booking_id_start_time_end_time_mentor_profile_id"):
        db.execute(text("ALTER TABLE bookings DISABLE TRIGGER USER"))
        db.execute(update(bookings).where(bookings.c.id == session.booking_id).values(end_time=MUCH_LATER))


def test_a_second_session_of_a_booking_is_refused(db: Connection) -> None:
    again = _session_of(db, make_session(db).booking_id)
    with refused(db, "pk_sessions"):
        db.execute(insert(sessions).values(again))
    with refused(db, "uq_sessions_booking_id"):
        db.execute(text("ALTER TABLE sessions DISABLE TRIGGER USER"))
        db.execute(insert(sessions).values(again | {"id": uuid4()}))


@pytest.mark.parametrize("change", ["UPDATE {} SET actor = 'x'", "UPDATE {} SET id = id", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["events", "audit_entries"])
def test_events_and_the_audit_are_never_changed_or_deleted(db: Connection, table: str, change: str) -> None:
    make_booking(db)
    write_audit_entry(db, actor=OPERATOR, action="review.hidden", subject=("review", uuid4()), reason="Spam", now=NOW)
    with refused(db, f"tr_{table}_append_only"):
        db.execute(text(change.format(table)))


REWRITTEN: list[tuple[str, dict[str, Any]]] = [
    ("tr_reviews_unchangeable", {"rating": 4}),
    ("tr_reviews_unchangeable", {"id": uuid4()}),
    ("tr_reviews_unchangeable", {"session_id": uuid4()}),
    ("tr_reviews_unchangeable", {"mentee_user_id": uuid4()}),
    ("tr_reviews_unchangeable", {"mentor_profile_id": uuid4()}),
    ("tr_reviews_unchangeable", {"comment": "Something else"}),
    ("tr_reviews_answered_once", {"answer": "Something better"}),
    ("tr_reviews_answered_once", {"answered_at": NOW - HOUR}),
    ("tr_reviews_answered_once", {"answer": None, "answered_at": None}),
]


@pytest.mark.parametrize(("name", "changed"), [pytest.param(*each, id=str(list(each[1]))) for each in REWRITTEN])
def test_the_words_of_a_review_never_change(db: Connection, name: str, changed: dict[str, Any]) -> None:
    review = make_review(db, comment="Well done")
    written = update(reviews).where(reviews.c.id == review.id)
    db.execute(written.values(answer="Thank you", answered_at=NOW))
    with refused(db, name):
        db.execute(written.values(**changed))
    db.execute(written.values(hidden_at=NOW, hidden_reason="Spam"))
    db.execute(written.values(hidden_at=None, hidden_reason=None, comment=None))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tr_weekly_hours_unchangeable", "UPDATE weekly_hours SET time_zone = 'Europe/Berlin'"),
        ("tr_weekly_hours_unchangeable", "UPDATE weekly_hours SET since = since - interval '1 day'"),
        ("tr_weekly_hours_unchangeable", "UPDATE weekly_hours SET revision = 2"),
        ("tr_availability_rules_unchangeable", "UPDATE availability_rules SET closes = closes + 1"),
        ("tr_availability_rules_unchangeable", "DELETE FROM availability_rules"),
        ("tr_weekly_hours_unchangeable", "DELETE FROM weekly_hours"),
    ],
)
def test_past_hours_are_never_changed_or_deleted(db: Connection, name: str, change: str) -> None:
    mentor = make_mentor(db)
    seen = WeeklyHours.of(db.execute(weekly_hours_query(mentor.id)).one())
    set_hours(db, actor=acting_mentor(mentor), seen=seen, spans=[Span(0, 540, 600)], time_zone=None, now=NOW)
    with refused(db, name):
        db.execute(text(change))
    db.execute(text("UPDATE weekly_hours SET until = now()"))
    with refused(db, "tr_weekly_hours_unchangeable"):
        db.execute(text("UPDATE weekly_hours SET until = NULL"))


def test_versions_and_times_of_change_are_kept_by_the_database(db: Connection) -> None:
    booking = make_booking(db)
    db.execute(update(bookings).where(bookings.c.id == booking.id).values(notes="changed", version=77))
    changed = db.execute(select(bookings.c.version, bookings.c.updated_at).where(bookings.c.id == booking.id)).one()
    assert changed.version == booking.version + 1
    assert changed.updated_at >= booking.updated_at


def test_a_booking_that_is_paid_before_is_accepted_by_its_payment(db: Connection) -> None:
    waiting = make_prepaid_booking(db)
    accept = update(bookings).where(bookings.c.id == waiting.id).values(status="accepted", session_id=uuid4())
    with refused(db, "tr_bookings_unpaid"):
        db.execute(accept)
    with refused(db, "tr_bookings_unpaid"):
        copy = {**_columns(db, bookings, waiting.id), "id": uuid4(), "status": "accepted", "session_id": uuid4()}
        db.execute(insert(bookings).values(copy))
    with refused(db, "tr_bookings_unchangeable"):
        db.execute(update(bookings).where(bookings.c.id == waiting.id).values(payment_mode="none"))
    db.execute(update(payments).where(payments.c.booking_id == waiting.id).values(status="waived"))
    assert db.execute(accept).rowcount == 1


@pytest.mark.parametrize("status", ["awaiting", "lapsed"])
def test_a_payment_that_has_ended_stays_so(db: Connection, status: str) -> None:
    payment = make_payment(db)
    step = update(payments).where(payments.c.id == payment.id)
    with refused(db, "tr_payments_status"):
        db.execute(step.values(status=status, paid_at=None, reference=None, charged=0, refund_due=0))
    for changed in ({"reference": "another"}, {"amount": 1}, {"user_id": make_user(db).id}):
        with refused(db, "tr_payments_unchangeable"):
            db.execute(step.values(changed))


def test_an_awaited_payment_is_only_ever_due_sooner(db: Connection) -> None:
    waiting = make_prepaid_booking(db)
    assert waiting.payment is not None
    step, due = update(payments).where(payments.c.id == waiting.payment.id), waiting.payment.due_at
    assert db.execute(step.values(due_at=due - timedelta(minutes=5))).rowcount == 1
    with refused(db, "tr_payments_unchangeable"):
        db.execute(step.values(due_at=due))
    db.execute(step.values(status="lapsed"))
    with refused(db, "tr_payments_unchangeable"):
        db.execute(step.values(due_at=due - timedelta(minutes=10)))


def test_an_entry_of_a_payment_is_append_only_but_for_its_reason(db: Connection) -> None:
    payment = make_payment(db)
    entries = payment_entries.c.payment_id == payment.id
    for change in (update(payment_entries).values(amount=2), delete(payment_entries)):
        with refused(db, "tr_payment_entries_append_only"):
            db.execute(change.where(entries))
    assert db.execute(update(payment_entries).where(entries).values(reason=None)).rowcount == 2


def test_a_refund_is_done_and_fails_by_turns(db: Connection) -> None:
    payment = make_payment(db)
    due = db.scalar(select(payment_entries.c.id).where(payment_entries.c.kind == "refund_due"))
    entry = {"payment_id": payment.id, "amount": 1, "refund_id": due, "reference": "re_1", "actor": "stripe"}

    def enter(kind: str) -> None:
        db.execute(insert(payment_entries).values(id=uuid4(), kind=kind, **entry))

    for kind, other in (("refund_done", "refund_failed"), ("refund_failed", "refund_done")) * 2:
        with refused(db, "tr_payment_entries_refund"):
            enter(other)
        enter(kind)


def test_a_bundle_that_is_paid_before_opens_by_its_payment(db: Connection) -> None:
    bundle = make_bundle(db, payment_mode="before")
    opened = update(bundle_purchases).where(bundle_purchases.c.id == bundle.id).values(awaits_payment=False)
    with refused(db, "tr_bundle_purchases_unpaid"):
        db.execute(opened)
    db.execute(update(payments).where(payments.c.bundle_purchase_id == bundle.id).values(status="waived"))
    assert db.execute(opened).rowcount == 1


def test_a_seat_that_is_paid_before_is_taken_by_its_payment(db: Connection) -> None:
    listing = factories.make_listing(db, payment_mode=PaymentMode.BEFORE)
    group, mentee = factories.make_group(db, [], listing=listing), factories.make_user(db)
    seat = {"booking_id": group.id, "user_id": mentee.id, "seat_id": uuid4(), "price_currency": "USD"}
    with refused(db, "tr_booking_participants_paid"):
        db.execute(insert(booking_participants).values(**seat, price_amount=4000))
    # A credit, or a payment that was waived.
    db.execute(insert(booking_participants).values(**seat, price_amount=0))
