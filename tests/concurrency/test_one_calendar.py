"""One calendar for each person: who teaches at a time is not taught then, in whatever order the two are booked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from models.catalog import BookingMode
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from tests.queries import broken_invariants
from workflows.accounts.actions import change_user, locked_user
from workflows.accounts.records import Mentor, User
from workflows.bookings.direct import WantedListing
from workflows.bookings.holds import hold
from workflows.catalog.listings import Listing
from workflows.groups.place import read_group
from workflows.groups.seats import join
from workflows.identity.actor import Actor
from workflows.kernel.errors import DomainError
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel
from workflows.sessions.records import SESSION_WITH_TERMS, SessionWithTerms

Call = Callable[[Connection], Any]


@dataclass(frozen=True)
class Person:
    """A mentor who is also a mentee, with listings of both modes."""

    user: User
    mentor: Mentor
    asked: Listing
    instant: Listing

    @classmethod
    def make(cls, db: Connection) -> Person:
        user = factories.make_user(db)
        mentor = factories.make_mentor(db, user)
        asked = factories.make_listing(db, mentor)
        return cls(user, mentor, asked, factories.make_listing(db, mentor, booking_mode=BookingMode.INSTANT))

    @property
    def actor(self) -> Actor:
        return factories.acting_user(self.user)


def teach(db: Connection, person: Person, start: datetime) -> Call:
    return partial(factories.accept_booking, booking=factories.make_booking(db, listing=person.asked, start_time=start))


def teach_at_once(db: Connection, person: Person, start: datetime) -> Call:
    mentee = factories.make_user(db)
    return partial(factories.make_booking, listing=person.instant, mentee=mentee, start_time=start)


def be_held(db: Connection, person: Person, start: datetime) -> Call:
    wanted = WantedListing(mentor_profile_id=person.mentor.id, duration_minutes=60)
    terms: dict[str, Any] = {"minutes": 5, "max_holds": 9, "now": datetime.now(UTC)}
    holder = factories.acting_user(factories.make_user(db))
    return partial(hold, actor=holder, wanted=wanted, start_time=start, **terms)


def teach_a_group(_db: Connection, person: Person, start: datetime) -> Call:
    return partial(factories.make_group, mentees=[], listing=person.asked, start_time=start)


def attend(db: Connection, person: Person, start: datetime) -> Call:
    other = factories.make_listing(db, booking_mode=BookingMode.INSTANT)
    return partial(factories.make_booking, listing=other, mentee=person.user, start_time=start)


def be_accepted(db: Connection, person: Person, start: datetime) -> Call:
    return partial(factories.accept_booking, booking=factories.make_booking(db, mentee=person.user, start_time=start))


def join_a_group(db: Connection, person: Person, start: datetime) -> Call:
    group = read_group(db, factories.make_group(db, [], start_time=start, capacity=3).id)
    who: dict[str, Any] = {"actor": person.actor, "mentee_user_id": person.user.id, "bundle_purchase_id": None}
    return partial(join, group=group, now=datetime.now(UTC), policy=DEFAULT_POLICY, **who)


AS_MENTOR = (teach, teach_at_once, be_held, teach_a_group)
AS_MENTEE = (attend, be_accepted, join_a_group)
Prepare = Callable[[Connection, Person, datetime], Call]


def of_the_mentee(refusal: DomainError) -> bool:
    return refusal.code == "slot_taken" and "mentee" in (refusal.details or {})


@pytest.mark.parametrize("as_mentee", AS_MENTEE)
@pytest.mark.parametrize("as_mentor", AS_MENTOR)
def test_who_teaches_is_not_taught_then(engine: Engine, race: Race, as_mentor: Prepare, as_mentee: Prepare) -> None:
    with engine.begin() as db:
        person = Person.make(db)
    for number in range(ROUNDS):
        slot = factories.next_slot()
        with engine.begin() as db:
            calls = [as_mentor(db, person, slot), as_mentee(db, person, slot + timedelta(minutes=30 - number % 60))]
        outcomes = race.transact(calls if number % 2 else calls[::-1])
        assert len(winners(outcomes)) == 1
        assert codes(outcomes) == ["slot_taken"]
    assert not broken_invariants(engine)


@pytest.mark.parametrize("as_mentee", AS_MENTEE)
@pytest.mark.parametrize("as_mentor", AS_MENTOR)
def test_one_after_the_other_the_second_is_refused(engine: Engine, as_mentor: Prepare, as_mentee: Prepare) -> None:
    with engine.begin() as db:
        for mentee_first in (False, True):
            person, slot = Person.make(db), factories.next_slot()
            teaching, attending = as_mentor(db, person, slot), as_mentee(db, person, slot)
            (attending if mentee_first else teaching)(db)
            with pytest.raises(DomainError) as refusal, db.begin_nested():
                (teaching if mentee_first else attending)(db)
            assert refusal.value.code == "slot_taken"
            assert of_the_mentee(refusal.value) is not mentee_first


def test_mentors_who_book_one_another_never_deadlock(engine: Engine, race: Race) -> None:
    """Each accepts, books, is booked, joins, is held and changes their name, all for the same hours."""
    with engine.begin() as db:
        people = [Person.make(db) for _ in range(3)]
    for number in range(ROUNDS):
        slot = factories.next_slot()
        calls: list[Call] = []
        with engine.begin() as db:
            for one, other in zip(people, people[1:] + people[:1], strict=True):
                draft = factories.make_booking(db, listing=other.asked, mentee=one.user, start_time=slot)
                calls.append(partial(factories.accept_booking, booking=draft))
                booked: dict[str, Any] = {"mentee": one.user, "start_time": slot + timedelta(minutes=30)}
                calls.append(partial(factories.make_booking, listing=other.instant, **booked))
            calls.append(join_a_group(db, people[number % 3], slot))
            calls.append(be_held(db, people[number % 3], slot))
            calls.append(partial(_rename, person=people[(number + 1) % 3], name=f"Number {number}"))
        outcomes = race.transact(calls if number % 2 else calls[::-1])
        assert set(codes(outcomes)) == {"slot_taken"}
    assert not broken_invariants(engine)


def _rename(db: Connection, person: Person, name: str) -> None:
    locked_user(db, person.user.id)
    change_user(db, user_id=person.user.id, changes={"name": name})


def test_cancelling_frees_both_calendars(engine: Engine) -> None:
    with engine.begin() as db:
        person, slot = Person.make(db), factories.next_slot()
        booking = be_accepted(db, person, slot)(db)
        session_id = create(db, booking_id=booking.id).id
        with pytest.raises(DomainError), db.begin_nested():
            teach(db, person, slot)(db)
        session = SessionWithTerms.of(db.execute(SESSION_WITH_TERMS, {"id": session_id}).one())
        cancel(db, actor=person.actor, session=session, reason="Ill", now=datetime.now(UTC))
        assert teach(db, person, slot)(db).status == "accepted"
