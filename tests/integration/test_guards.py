"""Tests of the guards in the database: what gets past the workflows is refused there, by a name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from models.bookings import BOOKING_TRANSITIONS, BookingStatus, bookings
from models.events import DELIVERY_TRANSITIONS, DeliveryState, deliveries, events
from models.reviews import reviews
from models.sessions import SESSION_TRANSITIONS, SessionStatus, sessions
from tests.factories import (
    OPERATOR,
    accept_booking,
    acting_mentor,
    make_booking,
    make_listing,
    make_mentor,
    make_review,
    make_session,
    make_user,
)
from workflows.audit import write_audit_entry
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.constraints import constraint_of

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
# After all times that the factories give, however many tests ask them.
MUCH_LATER = NOW + timedelta(days=3650)

# What a row must hold in a state besides the state itself, so that nothing but the step is to blame.
BOOKING_STATE: dict[str, dict[str, Any]] = {
    "draft": {"session_id": None},
    "accepted": {"session_id": uuid4()},
    "declined": {"session_id": None},
    "cancelled": {"session_id": None},
}
SESSION_STATE: dict[str, dict[str, Any]] = {
    "scheduled": {"started_at": None, "completed_at": None, "cancelled_at": None},
    "in_progress": {"started_at": NOW, "completed_at": None, "cancelled_at": None},
    "completed": {"started_at": NOW, "completed_at": NOW, "cancelled_at": None},
    "cancelled": {"started_at": None, "completed_at": None, "cancelled_at": NOW},
}
DELIVERY_STATE: dict[str, dict[str, Any]] = {
    "pending": {"done_at": None},
    "done": {"done_at": NOW},
    "dead": {"done_at": None},
    "cancelled": {"done_at": None},
}


def refused(db: Connection, name: str) -> AbstractContextManager[None]:
    """The block violates exactly the constraint or guard of that name, and leaves nothing."""

    @contextmanager
    def refusal() -> Any:
        with pytest.raises(IntegrityError) as violation, db.begin_nested():
            yield
        assert constraint_of(violation.value) == name

    return refusal()


def pairs(states: type[Any], allowed: dict[Any, frozenset[Any]]) -> list[Any]:
    """Every pair of different states, with whether the step exists."""
    return [
        pytest.param(here, there, there in allowed[here], id=f"{here} to {there}")
        for here, there in product(states, repeat=2)
        if here != there
    ]


def booking_in(db: Connection, state: str) -> UUID:
    """A booking that came into that state by the allowed way."""
    booking = make_booking(db)
    if state != "draft":
        db.execute(_move(bookings, booking.id, state, BOOKING_STATE))
    return booking.id


def session_in(db: Connection, state: str) -> UUID:
    """A session that came into that state by the allowed way."""
    session = make_session(db)
    ways = {"in_progress": ["in_progress"], "completed": ["in_progress", "completed"], "cancelled": ["cancelled"]}
    for step in ways.get(state, []):
        db.execute(_move(sessions, session.id, step, SESSION_STATE))
    return session.id


def delivery_in(db: Connection, state: str) -> UUID:
    """A delivery that came into that state by the allowed way."""
    booking = make_booking(db)
    found = db.scalars(
        select(deliveries.c.id)
        .join(events, events.c.id == deliveries.c.event_id)
        .where(events.c.subject_id == booking.id, deliveries.c.effect == "bookings.expire")
    ).one()
    if state != "pending":
        db.execute(update(deliveries).where(deliveries.c.id == found).values(state=state, **DELIVERY_STATE[state]))
    return found


def _move(table: Any, id: UUID, state: str, held: dict[str, dict[str, Any]]) -> Any:
    return update(table).where(table.c.id == id).values(status=state, **held[state])


@pytest.mark.parametrize(("here", "there", "allowed"), pairs(BookingStatus, BOOKING_TRANSITIONS))
def test_a_booking_is_moved_in_sql_only_as_its_table_says(db: Connection, here: str, there: str, allowed: bool) -> None:
    step = _move(bookings, booking_in(db, here), there, BOOKING_STATE)
    if here == "accepted":
        # The session's id has a guard of its own, which must not be the one that refuses here.
        step = step.values(session_id=bookings.c.session_id)
    if allowed:
        assert db.execute(step).rowcount == 1
    else:
        with refused(db, "tr_bookings_status"):
            db.execute(step)


@pytest.mark.parametrize(("here", "there", "allowed"), pairs(SessionStatus, SESSION_TRANSITIONS))
def test_a_session_is_moved_in_sql_only_as_its_table_says(db: Connection, here: str, there: str, allowed: bool) -> None:
    step = _move(sessions, session_in(db, here), there, SESSION_STATE)
    if allowed:
        assert db.execute(step).rowcount == 1
    else:
        with refused(db, "tr_sessions_status"):
            db.execute(step)


@pytest.mark.parametrize(("here", "there", "allowed"), pairs(DeliveryState, DELIVERY_TRANSITIONS))
def test_a_delivery_is_moved_in_sql_only_as_its_table_says(
    db: Connection, here: str, there: str, allowed: bool
) -> None:
    step = (
        update(deliveries).where(deliveries.c.id == delivery_in(db, here)).values(state=there, **DELIVERY_STATE[there])
    )
    if allowed:
        assert db.execute(step).rowcount == 1
    else:
        with refused(db, "tr_deliveries_state"):
            db.execute(step)


@pytest.mark.parametrize(
    ("status", "begins"), [("draft", True), ("accepted", True), ("declined", False), ("cancelled", False)]
)
def test_a_booking_begins_as_a_draft_or_accepted(db: Connection, status: str, begins: bool) -> None:
    copy = {**_columns(db, bookings, make_booking(db).id), "id": uuid4(), "status": status, **BOOKING_STATE[status]}
    if begins:
        db.execute(insert(bookings).values(copy))
    else:
        with refused(db, "tr_bookings_status"):
            db.execute(insert(bookings).values(copy))


@pytest.mark.parametrize("status", SessionStatus)
def test_a_session_begins_as_scheduled(db: Connection, status: str) -> None:
    session = _session_of(db, accept_booking(db, make_booking(db)).id) | {"status": status, **SESSION_STATE[status]}
    if status == "scheduled":
        db.execute(insert(sessions).values(session))
    else:
        with refused(db, "tr_sessions_status"):
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
def test_the_parties_the_listing_and_the_times_of_a_booking_never_change(
    db: Connection, state: str, change: Change
) -> None:
    booking_id, values = booking_in(db, state), change(db)
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
def test_the_booking_the_parties_and_the_times_of_a_session_never_change(
    db: Connection, state: str, change: Change
) -> None:
    session_id, values = session_in(db, state), change(db)
    with refused(db, "tr_sessions_unchangeable"):
        db.execute(update(sessions).where(sessions.c.id == session_id).values(**values))


@pytest.mark.parametrize("state", ["draft", "declined", "cancelled"])
def test_only_an_accepted_booking_becomes_a_session(db: Connection, state: str) -> None:
    session = _session_of(db, booking_in(db, state))
    with refused(db, "tr_sessions_booking_accepted"):
        db.execute(insert(sessions).values(session))


def test_no_booking_at_all_becomes_no_session(db: Connection) -> None:
    session = _session_of(db, accept_booking(db, make_booking(db)).id)
    with refused(db, "tr_sessions_booking_accepted"):
        db.execute(insert(sessions).values(session | {"booking_id": uuid4()}))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        # Its id and its mentee are those that the booking says.
        ({"id": uuid4()}, "tr_sessions_of_its_booking"),
        ({"mentee_user_id": None}, "tr_sessions_of_its_booking"),
        # Its times and its mentor are held by the composite key, which no race gets past.
        ({"start_time": NOW}, "fk_sessions_booking_id_start_time_end_time_mentor_profile_id"),
        ({"end_time": MUCH_LATER}, "fk_sessions_booking_id_start_time_end_time_mentor_profile_id"),
    ],
)
def test_a_session_that_drifted_from_its_booking_is_refused(db: Connection, changed: dict[str, Any], name: str) -> None:
    session = _session_of(db, accept_booking(db, make_booking(db)).id)
    with refused(db, name):
        db.execute(insert(sessions).values(session | changed))


def test_a_session_with_another_mentor_is_refused(db: Connection) -> None:
    session = _session_of(db, accept_booking(db, make_booking(db)).id)
    other = make_listing(db).mentor_profile_id
    with refused(db, "fk_sessions_booking_id_start_time_end_time_mentor_profile_id"):
        db.execute(insert(sessions).values(session | {"mentor_profile_id": other}))


def test_a_booking_cannot_drift_from_its_session_even_with_the_triggers_away(db: Connection) -> None:
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


@pytest.mark.parametrize(
    "change", ["UPDATE events SET actor = 'nobody'", "UPDATE events SET id = id", "DELETE FROM events"]
)
def test_what_happened_is_never_changed_and_never_deleted(db: Connection, change: str) -> None:
    make_booking(db)
    with refused(db, "tr_events_append_only"):
        db.execute(text(change))


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
def test_what_a_review_says_is_never_written_anew(db: Connection, name: str, changed: dict[str, Any]) -> None:
    review = make_review(db, comment="Well done")
    written = update(reviews).where(reviews.c.id == review.id)
    db.execute(written.values(answer="Thank you", answered_at=NOW))
    with refused(db, name):
        db.execute(written.values(**changed))
    db.execute(written.values(hidden_at=NOW, hidden_reason="Spam"))
    db.execute(written.values(hidden_at=None, hidden_reason=None, comment=None))


@pytest.mark.parametrize(
    "change",
    ["UPDATE audit_entries SET reason = 'none'", "UPDATE audit_entries SET id = id", "DELETE FROM audit_entries"],
)
def test_what_was_done_is_never_changed_and_never_deleted(db: Connection, change: str) -> None:
    write_audit_entry(db, actor=OPERATOR, action="review.hidden", subject=("review", uuid4()), reason="Spam", now=NOW)
    with refused(db, "tr_audit_entries_append_only"):
        db.execute(text(change))


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
def test_hours_that_were_said_are_never_changed_and_never_deleted(db: Connection, name: str, change: str) -> None:
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
