"""Tests of the decision about a booking: every state, every step, everybody who might try, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, select

from models.bookings import BookingStatus
from models.calendar import mentor_busy
from models.events import events
from models.sessions import session_id_of
from tests.factories import (
    OPERATOR,
    acting_mentor,
    acting_user,
    make_booking,
    make_listing,
    make_mentor,
    make_user,
)
from workflows.bookings.booking import Booking, booking_query, require_access
from workflows.bookings.decisions import accept, cancel, decline, expire
from workflows.errors import Conflict, DomainError, Forbidden, InvalidTransition
from workflows.identity.actor import SYSTEM, Actor

STEPS: dict[str, Callable[..., Booking]] = {
    "accept": lambda db, actor, booking, now: accept(db, actor=actor, booking=booking, now=now),
    "decline": lambda db, actor, booking, now: decline(db, actor=actor, booking=booking, reason="busy", now=now),
    "cancel": lambda db, actor, booking, now: cancel(db, actor=actor, booking=booking, reason="ill", now=now),
    "expire": lambda db, _actor, booking, now: expire(db, booking=booking, now=now),
}
ACTORS = ("mentee", "mentor", "mentor's user", "another mentor", "another user", "operator")
# Who may take which step, whatever the booking's state.
MAY = {
    # The mentor decides, and only when acting as the mentor.
    "accept": {"mentor"},
    "decline": {"mentor"},
    # Whoever asked takes it back.
    "cancel": {"mentee"},
    # The system asks nobody.
    "expire": set(ACTORS),
}
# Where each step leads. They all lead out of draft, and there is no other way: what is decided stays decided.
LEADS_TO = {"accept": "accepted", "decline": "declined", "cancel": "cancelled", "expire": "cancelled"}
FORBIDDEN, INVALID = (Forbidden, "forbidden"), (InvalidTransition, "invalid_transition")


def expected(state: str, step: str, actor: str) -> str | tuple[type[DomainError], str]:
    """The state that follows, or the refusal: first who, then whether."""
    if actor not in MAY[step]:
        return FORBIDDEN
    return LEADS_TO[step] if state == "draft" else INVALID


TABLE = [
    pytest.param(state, step, actor, expected(state, step, actor), id=f"{state}: {step} by {actor}")
    for state, step, actor in product(BookingStatus, STEPS, ACTORS)
]


class Cast:
    """A booking in a state, and everybody who might try something with it."""

    def __init__(self, db: Connection, state: str = "draft", **offer: Any) -> None:
        self.now = datetime.now(UTC)
        mentor, mentee = make_mentor(db), make_user(db)
        self.booking = make_booking(db, listing=make_listing(db, mentor, **offer), mentee=mentee)
        self.actors: dict[str, Actor] = {
            "mentee": acting_user(mentee),
            "mentor": acting_mentor(mentor),
            "mentor's user": Actor.person(mentor.user_id, None),
            "another mentor": acting_mentor(make_mentor(db)),
            "another user": acting_user(make_user(db)),
            "operator": OPERATOR,
        }
        way = {"accepted": ("accept", "mentor"), "declined": ("decline", "mentor"), "cancelled": ("cancel", "mentee")}
        if state != "draft":
            self.booking = self.take(db, *way[state])

    def take(self, db: Connection, step: str, actor: str) -> Booking:
        """Take a step as somebody."""
        return STEPS[step](db, self.actors[actor], self.booking, self.now)


def stored(db: Connection, booking: Booking) -> Booking:
    """The booking as the database has it."""
    return Booking.of(db.execute(booking_query(booking.id)).one())


def happened(db: Connection, booking: Booking) -> list[tuple[str, str]]:
    """The booking's events and who made them, in their order."""
    query = select(events.c.type, events.c.actor).where(events.c.subject_id == booking.id).order_by(events.c.sequence)
    return [(row.type, row.actor) for row in db.execute(query)]


@pytest.mark.parametrize(("state", "step", "actor", "outcome"), TABLE)
def test_every_step_from_every_state_by_everybody(
    db: Connection, state: str, step: str, actor: str, outcome: str | tuple[type[DomainError], str]
) -> None:
    cast = Cast(db, state)
    before = stored(db, cast.booking), happened(db, cast.booking)
    if isinstance(outcome, tuple):
        kind, code = outcome
        with pytest.raises(kind) as refusal:
            cast.take(db, step, actor)
        assert refusal.value.code == code
        # What is refused leaves nothing behind.
        assert (stored(db, cast.booking), happened(db, cast.booking)) == before
        return
    after = cast.take(db, step, actor)
    assert after == stored(db, cast.booking)
    assert (after.status, after.version) == (outcome, cast.booking.version + 1)
    name = SYSTEM.name if step == "expire" else cast.actors[actor].name
    assert happened(db, cast.booking) == [*before[1], (f"booking.{outcome}", name)]


def test_acceptance_names_the_session_and_takes_the_time_with_its_buffer(db: Connection) -> None:
    cast = Cast(db, buffer_minutes=15)
    accepted = cast.take(db, "accept", "mentor")
    assert accepted.session_id == session_id_of(accepted.id)
    block = db.execute(select(mentor_busy)).one()
    assert block.booking_id == accepted.id
    assert block.busy.lower == accepted.start_time
    assert block.busy.upper == accepted.end_time + timedelta(minutes=15)


@pytest.mark.parametrize("state", ["draft", "declined", "cancelled"])
def test_only_an_accepted_booking_has_a_session_and_holds_time(db: Connection, state: str) -> None:
    cast = Cast(db, state)
    assert stored(db, cast.booking).session_id is None
    assert db.scalars(select(mentor_busy.c.id)).all() == []


def test_reasons_are_kept_where_they_belong(db: Connection) -> None:
    declined, cancelled, expired = Cast(db, "declined").booking, Cast(db, "cancelled").booking, Cast(db)
    assert (declined.decline_reason, declined.cancel_reason) == ("busy", None)
    assert (cancelled.decline_reason, cancelled.cancel_reason) == (None, "ill")
    assert expired.take(db, "expire", "operator").cancel_reason == "expired"


@pytest.mark.parametrize(
    ("before_start", "accepted"),
    [
        # A second before its time a booking can still be accepted.
        (timedelta(seconds=1), True),
        # At its time it is too late, and ever after.
        (timedelta(), False),
        (-timedelta(seconds=1), False),
    ],
)
def test_a_booking_whose_time_has_come_is_accepted_no_more(
    db: Connection, before_start: timedelta, accepted: bool
) -> None:
    cast = Cast(db)
    cast.now = cast.booking.start_time - before_start
    if accepted:
        assert cast.take(db, "accept", "mentor").status == "accepted"
    else:
        with pytest.raises(InvalidTransition):
            cast.take(db, "accept", "mentor")


@pytest.mark.parametrize("step", ["accept", "decline", "expire"])
def test_a_decision_on_an_old_version_changes_nothing(db: Connection, step: str) -> None:
    cast = Cast(db)
    taken_back = cast.take(db, "cancel", "mentee")
    assert cast.booking.status == "draft", "as it was read"
    with pytest.raises(InvalidTransition):
        cast.take(db, step, "mentor")
    assert stored(db, cast.booking) == taken_back


def test_a_booking_that_changed_in_between_is_to_be_read_again(db: Connection) -> None:
    cast = Cast(db)
    cast.booking = replace(cast.booking, version=cast.booking.version + 1)
    for step in ("accept", "decline"):
        with pytest.raises(InvalidTransition):
            cast.take(db, step, "mentor")


def test_the_first_of_two_overlapping_drafts_wins_and_the_other_stays_a_draft(db: Connection) -> None:
    mentor = make_mentor(db)
    listing = make_listing(db, mentor)
    first = make_booking(db, listing=listing)
    second = make_booking(db, listing=listing, start_time=first.start_time + timedelta(minutes=59))
    now = datetime.now(UTC)
    accept(db, actor=acting_mentor(mentor), booking=first, now=now)
    with pytest.raises(Conflict) as refusal, db.begin_nested():
        accept(db, actor=acting_mentor(mentor), booking=second, now=now)
    assert refusal.value.code == "slot_taken"
    assert stored(db, second).status == "draft"


@pytest.mark.parametrize(
    ("actor", "sees"),
    [
        ("mentee", True),
        ("mentor", True),
        # A mentor's user who does not act as the mentor sees what is their own as a user, which this is not.
        ("mentor's user", False),
        ("another mentor", False),
        ("another user", False),
        ("operator", True),
    ],
)
def test_a_booking_is_seen_by_its_participants_and_operators(db: Connection, actor: str, sees: bool) -> None:
    cast = Cast(db)
    if sees:
        require_access(cast.actors[actor], cast.booking)
    else:
        with pytest.raises(Forbidden):
            require_access(cast.actors[actor], cast.booking)
