"""Tests of the steps of bookings and sessions: every state, every step and every kind of caller, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, update

from models.bookings import BookingStatus
from models.calendar import person_busy
from models.catalog import listings
from models.events import events
from models.payments import PaymentMode
from models.sessions import SessionStatus, session_id_of, sessions
from tests.factories import (
    OPERATOR,
    accept_booking,
    acting_mentor,
    acting_user,
    make_booking,
    make_listing,
    make_mentor,
    make_session,
    make_user,
    mentor_of,
)
from workflows.bookings.actions import accept, cancel, decline, expire
from workflows.bookings.records import Booking, booking_query
from workflows.identity.access import require_access, require_mentee
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.errors import Conflict, DomainError, Forbidden, Invalid, InvalidTransition
from workflows.sessions.actions import complete, create, start
from workflows.sessions.records import Session, session_query, session_with_terms_query

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
Step = Callable[[Connection, Actor, Any, datetime], Any]
STEPS: dict[str, Step] = {
    "accept": lambda db, actor, booking, now: accept(db, actor=actor, booking=booking, now=now),
    "decline": lambda db, actor, booking, now: decline(db, actor=actor, booking=booking, reason="busy", now=now),
    "cancel": lambda db, actor, booking, now: cancel(db, actor=actor, booking=booking, reason="ill", now=now),
    "expire": lambda db, _actor, booking, now: expire(db, booking=booking, now=now),
    "start": lambda db, actor, session, now: start(db, actor=actor, session=session, early_start_minutes=None, now=now),
    "complete": lambda db, actor, session, now: complete(db, actor=actor, session=session, now=now),
}
ACTORS = ("mentee", "mentor", "mentor's user", "another mentor", "another user", "operator")
# Who may take which step in any state; `expire` is the system's, and takes no actor.
MAY = {
    "accept": {"mentor"},
    "decline": {"mentor"},
    "cancel": {"mentee"},
    "expire": set(ACTORS),
    "start": {"mentee", "mentor"},
    "complete": {"mentor", "operator"},
}
# From where each step leads where; from nowhere else.
LEADS = {
    ("draft", "accept"): ("accepted", "booking.accepted"),
    ("draft", "decline"): ("declined", "booking.declined"),
    ("draft", "cancel"): ("cancelled", "booking.cancelled"),
    ("draft", "expire"): ("cancelled", "booking.cancelled"),
    ("awaiting_payment", "cancel"): ("cancelled", "booking.cancelled"),
    ("scheduled", "start"): ("in_progress", "session.started"),
    ("in_progress", "complete"): ("completed", "session.completed"),
}
# The steps into each state.
STEPS_TO = {
    **{"accepted": ["accept"], "awaiting_payment": ["accept"], "declined": ["decline"], "cancelled": ["cancel"]},
    **{"in_progress": ["start"], "completed": ["start", "complete"]},
}


class Cast:
    """A draft or a scheduled session, everyone who might try something with it, and the steps taken so far."""

    def __init__(self, db: Connection, make: Callable[..., Booking | Session], **offer: Any) -> None:
        self.db = db
        self.now = datetime.now(UTC)
        mentor, mentee = make_mentor(db), make_user(db)
        self.record: Any = make(db, listing=make_listing(db, mentor, **offer), mentee=mentee)
        self.actors: dict[str, Actor] = {
            "mentee": acting_user(mentee),
            "mentor": acting_mentor(mentor),
            "mentor's user": Actor.person(mentor.user_id, None),
            "another mentor": acting_mentor(make_mentor(db)),
            "another user": acting_user(make_user(db)),
            "operator": OPERATOR,
        }

    def bring(self, state: str) -> Cast:
        if isinstance(self.record, Session) and state == "cancelled":
            changed = {"status": SessionStatus.CANCELLED, "cancelled_at": self.now}
            self.db.execute(update(sessions).where(sessions.c.id == self.record.id).values(changed))
            self.record = self.stored()
            return self
        for step in STEPS_TO.get(state, []):
            self.record = self.take(step, "mentee" if step == "cancel" else "mentor")
        return self

    def take(self, step: str, actor: str = "mentor") -> Any:
        return STEPS[step](self.db, self.actors[actor], self.record, self.now)

    def stored(self) -> Any:
        if isinstance(self.record, Session):
            return Session.of(self.db.execute(session_query(self.record.id)).one())
        return Booking.of(self.db.execute(booking_query(self.record.id)).one())

    def recorded(self) -> list[tuple[str, str]]:
        of_record = events.c.subject_id == self.record.id
        query = select(events.c.type, events.c.actor).where(of_record).order_by(events.c.sequence)
        return [(row.type, row.actor) for row in self.db.execute(query)]


@pytest.mark.parametrize(
    ("make", "state", "step", "actor"),
    [
        *product([make_booking], BookingStatus, ["accept", "decline", "cancel", "expire"], ACTORS),
        *product([make_session], SessionStatus, ["start", "complete"], ACTORS),
    ],
)
def test_every_step_from_every_state_by_every_actor(
    db: Connection, make: Callable[..., Booking | Session], state: str, step: str, actor: str
) -> None:
    unpaid = state == "awaiting_payment"
    cast = Cast(db, make, **({"payment_mode": PaymentMode.BEFORE} if unpaid else {})).bring(state)
    before = cast.stored(), cast.recorded()
    refusal: type[DomainError] | None = None if (state, step) in LEADS else InvalidTransition
    # While it awaits its payment, either party and operators can cancel it.
    if actor not in (MAY[step] | {"mentor", "operator"} if unpaid and step == "cancel" else MAY[step]):
        refusal = Forbidden
    if refusal is not None:
        with pytest.raises(refusal) as refused:
            cast.take(step, actor)
        assert refused.value.code == refusal.default_code
        assert (cast.stored(), cast.recorded()) == before
        return
    after = cast.take(step, actor)
    status, event = LEADS[state, step]
    assert after == cast.stored()
    assert (after.status, after.version) == (status, cast.record.version + 1)
    name = SYSTEM.name if step == "expire" else cast.actors[actor].name
    freed = [("booking.time_freed", name)] if unpaid else []
    assert cast.recorded() == [*before[1], (event, name), *freed]


@pytest.mark.parametrize("make", [make_booking, make_session])
def test_parties_and_operators_have_access(db: Connection, make: Callable[..., Booking | Session]) -> None:
    cast = Cast(db, make)
    for guard, admitted in ((require_access, {"mentee", "mentor", "operator"}), (require_mentee, {"mentee"})):
        for name, actor in cast.actors.items():
            if name in admitted:
                guard(actor, cast.record)
            else:
                with pytest.raises(Forbidden):
                    guard(actor, cast.record)
    # A group has no one mentee, and an actor without ids is not that mentee.
    group = replace(cast.record, mentee_user_id=None)
    with pytest.raises(Forbidden):
        require_mentee(Actor(name="system"), group)
    with pytest.raises(Forbidden):
        require_access(Actor.person(uuid4(), None), group)


STALE_STEPS = [(make_booking, "cancel", ["accept", "decline", "expire"]), (make_session, "start", ["start"])]


@pytest.mark.parametrize(("make", "first", "steps"), STALE_STEPS)
def test_a_step_from_an_old_state_or_version_changes_nothing(
    db: Connection, make: Callable[..., Booking | Session], first: str, steps: list[str]
) -> None:
    cast = Cast(db, make)
    read = cast.record
    cast.record = replace(read, version=read.version + 1)
    for step in steps:
        with pytest.raises(InvalidTransition):
            cast.take(step)
    assert cast.stored() == read
    cast.record = read
    moved = cast.take(first, "mentee")
    for step in steps:
        with pytest.raises(InvalidTransition):
            cast.take(step)
    assert cast.stored() == moved


def test_acceptance_names_the_session_and_blocks_time_and_buffer(db: Connection) -> None:
    accepted = Cast(db, make_booking, buffer_minutes=15).take("accept")
    assert accepted.session_id == session_id_of(accepted.id)
    block = db.execute(select(person_busy).where(person_busy.c.mentor_profile_id.is_not(None))).one()
    assert (block.booking_id, block.busy.lower) == (accepted.id, accepted.start_time)
    assert block.busy.upper == accepted.end_time + 15 * MINUTE


@pytest.mark.parametrize("state", ["draft", "declined", "cancelled"])
def test_only_an_accepted_booking_has_a_session_and_blocks_time(db: Connection, state: str) -> None:
    assert Cast(db, make_booking).bring(state).stored().session_id is None
    assert db.scalars(select(person_busy.c.id)).all() == []


def test_reasons_are_stored_in_their_own_columns(db: Connection) -> None:
    reasons = [Cast(db, make_booking).take(*step) for step in (("decline",), ("cancel", "mentee"), ("expire",))]
    found = [(booking.decline_reason, booking.cancel_reason) for booking in reasons]
    assert found == [("busy", None), (None, "ill"), (None, "expired")]


@pytest.mark.parametrize(("before_start", "accepted"), [(SECOND, True), (timedelta(), False), (-SECOND, False)])
def test_a_booking_is_accepted_only_before_its_start(db: Connection, before_start: timedelta, accepted: bool) -> None:
    cast = Cast(db, make_booking)
    cast.now = cast.record.start_time - before_start
    if accepted:
        assert cast.take("accept").status == "accepted"
    else:
        with pytest.raises(InvalidTransition):
            cast.take("accept")


def test_the_first_of_two_overlapping_drafts_wins(db: Connection) -> None:
    listing = make_listing(db)
    first = make_booking(db, listing=listing)
    second = make_booking(db, listing=listing, start_time=first.start_time + 59 * MINUTE)
    accept_booking(db, first)
    with pytest.raises(Conflict) as refusal, db.begin_nested():
        accept_booking(db, second)
    assert refusal.value.code == "slot_taken"
    assert Booking.of(db.execute(booking_query(second.id)).one()).status == "draft"


def test_a_mentee_is_accepted_into_one_session_at_a_time(db: Connection) -> None:
    mentee = make_user(db)
    first = make_booking(db, mentee=mentee)
    overlapping, touching = (
        make_booking(db, mentee=mentee, start_time=first.start_time + later) for later in (59 * MINUTE, 60 * MINUTE)
    )
    accept_booking(db, first)
    with pytest.raises(Conflict) as refusal, db.begin_nested():
        accept_booking(db, overlapping)
    assert (refusal.value.code, list(refusal.value.details or ())) == ("slot_taken", ["mentee"])
    accept_booking(db, touching)
    allowed = accept(db, actor=mentor_of(overlapping), booking=overlapping, now=datetime.now(UTC), mentee_overlap=True)
    assert allowed.status == "accepted"


def test_a_session_is_copied_from_its_booking(db: Connection) -> None:
    booking = accept_booking(db, make_booking(db, title="Compilers", notes="Bring tea", metadata={"room": 7}))
    session = create(db, booking_id=booking.id)
    assert (session.id, session.status) == (booking.session_id, "scheduled")
    for field in ("mentor_profile_id", "mentee_user_id", "start_time", "end_time", "title", "metadata"):
        assert getattr(session, field) == getattr(booking, field), field
    assert (session.description, session.notes) == ("Bring tea", None), "the session's notes are the mentor's"


def test_a_second_session_of_a_booking_has_its_code(db: Connection) -> None:
    session = make_session(db)
    with pytest.raises(Conflict) as refusal:
        create(db, booking_id=session.booking_id)
    assert refusal.value.code == "duplicate_session"
    assert len(db.execute(select(sessions).where(sessions.c.booking_id == session.booking_id)).all()) == 1


@pytest.mark.parametrize(
    ("early", "before_start", "starts"),
    [
        (15, 15 * MINUTE, True),
        (15, 15 * MINUTE + SECOND, False),
        (15, 14 * MINUTE, True),
        (0, timedelta(), True),
        (0, SECOND, False),
        # Late is never too early.
        (15, -60 * MINUTE, True),
        # Null is any time.
        (None, timedelta(days=300), True),
    ],
)
def test_a_session_starts_within_the_listings_early_window(
    db: Connection, early: int | None, before_start: timedelta, starts: bool
) -> None:
    cast = Cast(db, make_session)
    now = cast.record.start_time - before_start

    def attempt(actor: str) -> Session:
        return start(db, actor=cast.actors[actor], session=cast.record, early_start_minutes=early, now=now)

    # Who may is checked before when.
    with pytest.raises(Forbidden):
        attempt("another user")
    if starts:
        assert attempt("mentee").started_at == now
    else:
        with pytest.raises(Invalid) as refusal:
            attempt("mentee")
        assert refusal.value.code == "too_early"


@pytest.mark.parametrize("early", [0, 15, 90, None])
def test_a_session_keeps_the_window_of_its_request(db: Connection, early: int | None) -> None:
    listing = make_listing(db, early_start_minutes=early)
    session = make_session(db, listing=listing)
    db.execute(update(listings).values(early_start_minutes=3))
    row = db.execute(session_with_terms_query(session.id)).one()
    assert (Session.of(row), row.early_start_minutes) == (session, early)


def test_completion_stores_the_mentors_record_of_the_meeting(db: Connection) -> None:
    cast = Cast(db, make_session).bring("in_progress")
    record: dict[str, Any] = {
        "notes": "A parser.",
        "rating": 5,
        "feedback": "Well prepared",
        "action_items": ["Read", "Write"],
    }
    completed = complete(db, actor=cast.actors["mentor"], session=cast.record, now=cast.now, **record)
    assert completed == cast.stored()
    assert completed.completed_at == cast.now
    assert {name: getattr(completed, name) for name in record} == record
