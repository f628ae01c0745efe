"""Tests of a session's life: every state, every step, everybody who might try, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, update

from models.events import events
from models.sessions import SessionStatus, sessions
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
)
from workflows.errors import Conflict, DomainError, Forbidden, Invalid, InvalidTransition
from workflows.identity.actor import Actor
from workflows.sessions.session import Session, require_access, require_mentee, session_query, session_to_start_query
from workflows.sessions.steps import complete, create, start

STEPS: dict[str, Callable[..., Session]] = {
    "start": lambda db, actor, session, now: start(db, actor=actor, session=session, early_start_minutes=None, now=now),
    "complete": lambda db, actor, session, now: complete(db, actor=actor, session=session, now=now),
}
ACTORS = ("mentee", "mentor", "mentor's user", "another mentor", "another user", "operator")
# Who may take which step, whatever the session's state.
MAY = {
    # Either party opens the meeting.
    "start": {"mentee", "mentor"},
    # The mentor alone closes it.
    "complete": {"mentor"},
}
# From where each step leads where. No skip, and no way back.
LEADS = {("scheduled", "start"): "in_progress", ("in_progress", "complete"): "completed"}
ANNOUNCED = {"start": "session.started", "complete": "session.completed"}
FORBIDDEN, INVALID = (Forbidden, "forbidden"), (InvalidTransition, "invalid_transition")


def expected(state: str, step: str, actor: str) -> str | tuple[type[DomainError], str]:
    """The state that follows, or the refusal: first who, then whether."""
    if actor not in MAY[step]:
        return FORBIDDEN
    return LEADS.get((state, step), INVALID)


TABLE = [
    pytest.param(state, step, actor, expected(state, step, actor), id=f"{state}: {step} by {actor}")
    for state, step, actor in product(SessionStatus, STEPS, ACTORS)
]


class Cast:
    """A session in a state, and everybody who might try something with it."""

    def __init__(self, db: Connection, state: str = "scheduled") -> None:
        self.now = datetime.now(UTC)
        mentor, mentee = make_mentor(db), make_user(db)
        self.session = make_session(db, listing=make_listing(db, mentor), mentee=mentee)
        self.actors: dict[str, Actor] = {
            "mentee": acting_user(mentee),
            "mentor": acting_mentor(mentor),
            "mentor's user": Actor.person(mentor.user_id, None),
            "another mentor": acting_mentor(make_mentor(db)),
            "another user": acting_user(make_user(db)),
            "operator": OPERATOR,
        }
        if state == "cancelled":
            db.execute(
                update(sessions)
                .where(sessions.c.id == self.session.id)
                .values(status=SessionStatus.CANCELLED, cancelled_at=self.now)
            )
            self.session = stored(db, self.session)
        if state in ("in_progress", "completed"):
            self.session = self.take(db, "start", "mentor")
        if state == "completed":
            self.session = self.take(db, "complete", "mentor")

    def take(self, db: Connection, step: str, actor: str) -> Session:
        """Take a step as somebody."""
        return STEPS[step](db, self.actors[actor], self.session, self.now)


def stored(db: Connection, session: Session) -> Session:
    """The session as the database has it."""
    return Session.of(db.execute(session_query(session.id)).one())


def happened(db: Connection, session: Session) -> list[tuple[str, str]]:
    """The session's events and who made them, in their order."""
    query = select(events.c.type, events.c.actor).where(events.c.subject_id == session.id).order_by(events.c.sequence)
    return [(row.type, row.actor) for row in db.execute(query)]


@pytest.mark.parametrize(("state", "step", "actor", "outcome"), TABLE)
def test_every_step_from_every_state_by_everybody(
    db: Connection, state: str, step: str, actor: str, outcome: str | tuple[type[DomainError], str]
) -> None:
    cast = Cast(db, state)
    before = stored(db, cast.session), happened(db, cast.session)
    if isinstance(outcome, tuple):
        kind, code = outcome
        with pytest.raises(kind) as refusal:
            cast.take(db, step, actor)
        assert refusal.value.code == code
        # What is refused leaves nothing behind.
        assert (stored(db, cast.session), happened(db, cast.session)) == before
        return
    after = cast.take(db, step, actor)
    assert after == stored(db, cast.session)
    assert (after.status, after.version) == (outcome, cast.session.version + 1)
    assert happened(db, cast.session) == [*before[1], (ANNOUNCED[step], cast.actors[actor].name)]


def test_a_session_has_its_bookings_id_times_parties_and_words(db: Connection) -> None:
    booking = accept_booking(db, make_booking(db, title="Compilers", notes="Bring tea", metadata={"room": 7}))
    session = create(db, booking_id=booking.id)
    assert session.id == booking.session_id
    assert session.status == "scheduled"
    for field in ("mentor_profile_id", "mentee_user_id", "start_time", "end_time", "title", "metadata"):
        assert getattr(session, field) == getattr(booking, field), field
    assert session.description == "Bring tea"
    assert session.notes is None, "the notes are what is kept of the meeting"


def test_a_second_session_of_a_booking_is_refused_by_its_code(db: Connection) -> None:
    session = make_session(db)
    with pytest.raises(Conflict) as refusal:
        create(db, booking_id=session.booking_id)
    assert refusal.value.code == "duplicate_session"
    assert len(db.execute(select(sessions).where(sessions.c.booking_id == session.booking_id)).all()) == 1


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("early", "before_start", "starts"),
    [
        # A quarter of an hour before, and not a second earlier.
        (15, 15 * MINUTE, True),
        (15, 15 * MINUTE + timedelta(seconds=1), False),
        (15, 14 * MINUTE, True),
        # Not before the time itself.
        (0, timedelta(), True),
        (0, timedelta(seconds=1), False),
        # Late is never too early.
        (15, -60 * MINUTE, True),
        # Null is any time.
        (None, timedelta(days=300), True),
    ],
)
def test_a_session_starts_no_earlier_than_its_listing_says(
    db: Connection, early: int | None, before_start: timedelta, starts: bool
) -> None:
    cast = Cast(db)
    cast.now = cast.session.start_time - before_start

    def attempt() -> Session:
        return start(db, actor=cast.actors["mentee"], session=cast.session, early_start_minutes=early, now=cast.now)

    if starts:
        assert attempt().started_at == cast.now
    else:
        opens = cast.session.start_time - timedelta(minutes=early or 0)
        with pytest.raises(Invalid, match=opens.strftime("%Y-%m-%dT%H:%M:%SZ")) as refusal:
            attempt()
        assert refusal.value.code == "too_early"


@pytest.mark.parametrize("early", [0, 15, 90, None])
def test_the_look_up_before_a_start_finds_the_listings_own_minutes(db: Connection, early: int | None) -> None:
    session = make_session(db, listing=make_listing(db, early_start_minutes=early))
    row = db.execute(session_to_start_query(session.id)).one()
    assert row.early_start_minutes == early
    assert Session.of(row) == session


def test_who_may_is_asked_before_when(db: Connection) -> None:
    cast = Cast(db)
    with pytest.raises(Forbidden):
        start(db, actor=cast.actors["another user"], session=cast.session, early_start_minutes=0, now=cast.now)


def test_completion_keeps_what_the_mentor_says_of_the_meeting(db: Connection) -> None:
    cast = Cast(db, "in_progress")
    completed = complete(
        db,
        actor=cast.actors["mentor"],
        session=cast.session,
        now=cast.now,
        notes="We built a parser.",
        rating=5,
        feedback="Well prepared",
        action_items=["Read chapter 4", "Write tests"],
    )
    assert completed.completed_at == cast.now
    assert (completed.notes, completed.rating, completed.feedback) == ("We built a parser.", 5, "Well prepared")
    assert completed.action_items == ["Read chapter 4", "Write tests"]
    assert stored(db, completed) == completed


def test_a_step_on_an_old_version_changes_nothing(db: Connection) -> None:
    cast = Cast(db)
    started = cast.take(db, "start", "mentor")
    with pytest.raises(InvalidTransition):
        cast.take(db, "start", "mentee")
    cast.session = replace(started, version=started.version + 1)
    with pytest.raises(InvalidTransition):
        cast.take(db, "complete", "mentor")
    assert stored(db, started) == started


def test_only_parties_and_operators_observe_and_only_the_mentee_is_the_mentee(db: Connection) -> None:
    cast = Cast(db)
    for name, actor in cast.actors.items():
        if name in ("mentee", "mentor", "operator"):
            require_access(actor, cast.session)
        else:
            with pytest.raises(Forbidden):
                require_access(actor, cast.session)
        if name == "mentee":
            require_mentee(actor, cast.session)
        else:
            with pytest.raises(Forbidden):
                require_mentee(actor, cast.session)


def test_nobody_is_a_party_of_a_groups_session_by_having_no_id(db: Connection) -> None:
    session = replace(make_session(db), mentee_user_id=None)
    nobody = Actor(name="system")
    with pytest.raises(Forbidden):
        require_mentee(nobody, session)
    with pytest.raises(Forbidden):
        require_access(Actor.person(uuid4(), None), session)
