"""Many at the seats of a group at once: exact counts, documented answers, no deadlock."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, select

from models.bookings import booking_participants
from models.bundles import bundle_purchases
from models.calendar import person_busy
from models.engine import create
from models.events import events
from models.groups import group_sessions, waitlist_entries
from models.sessions import session_id_of
from tests import factories
from tests.concurrency.racing import Race, codes, winners
from workflows.accounts.records import Mentor, User
from workflows.catalog.courses import Course
from workflows.groups.capacity import change_capacity
from workflows.groups.place import read_group
from workflows.groups.records import Group
from workflows.groups.seats import join, leave, refund_all, waive_seat_fee
from workflows.groups.waitlist import join_waitlist, leave_waitlist, offer_seats, offer_waited_seats
from workflows.invariants import check_all
from workflows.kernel.locks import lock_group
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.sessions.actions import create as create_session
from workflows.sessions.cancel import cancel
from workflows.sessions.records import SessionWithTerms, session_with_terms_query

MENTEES, SEATS = 50, 5
# A race of fifty takes a quarter of a second; fifty rounds were run by hand.
ROUNDS = 6
ACTS = 12


@pytest.fixture
def wide_engine(engine: Engine) -> Iterator[Engine]:
    engine.dispose()
    wide = create(engine.url.render_as_string(hide_password=False), pool_size=MENTEES + 2)
    yield wide
    wide.dispose()


@pytest.fixture
def wide_race(wide_engine: Engine) -> Iterator[Race]:
    race = Race(wide_engine, MENTEES)
    yield race
    race.close()


class Scene:
    """A mentor of a course, and people of whom each has a bundle of it."""

    def __init__(self, db: Connection, people: int, course: Course | None = None) -> None:
        self.course = course or factories.make_course(db)
        self.mentor: Mentor = factories.make_mentor(db)
        self.listing = factories.make_listing(db, self.mentor, course_id=self.course.id)
        self.people: list[User] = [factories.make_user(db) for _ in range(people)]
        self.bundles = {
            person.id: factories.make_bundle(db, course=self.course, mentee=person, session_count=100).id
            for person in self.people
        }

    def group(self, db: Connection, capacity: int, *, start_time: datetime | None = None) -> Group:
        start = start_time or factories.next_slot()
        booking = factories.make_group(db, [], listing=self.listing, start_time=start, capacity=capacity)
        create_session(db, booking_id=booking.id)
        return read_group(db, booking.id)

    def join(self, db: Connection, *, group: Group, person: User, paid: bool = True, offered: bool = False) -> Group:
        return join(
            db,
            actor=factories.acting_user(person),
            group=group,
            mentee_user_id=person.id,
            bundle_purchase_id=self.bundles[person.id] if paid else None,
            now=datetime.now(UTC),
            policy=DEFAULT_POLICY,
            offered_only=offered,
        )

    def require_consistent(self, db: Connection) -> None:
        """No invariant is violated, and every credit is where the seats say."""
        about_seats = {"group_seats_differ", "block_without_part"}
        named = {finding.name: finding.violations for finding in check_all(db)}
        bundles = {name: count for name, count in named.items() if "bundle" in name or name in about_seats}
        assert not any(bundles.values()), bundles
        seats = select(booking_participants.c.bundle_purchase_id, func.count()).group_by(
            booking_participants.c.bundle_purchase_id
        )
        paid = {row[0]: row[1] for row in db.execute(seats)}
        for bundle in db.execute(select(bundle_purchases.c.id, bundle_purchases.c.remaining_sessions)):
            assert bundle.remaining_sessions == 100 - paid.get(bundle.id, 0)


def seats_of(db: Connection, group: Group) -> tuple[int, int, int]:
    """Seats taken, participants, and blocked times of participants."""
    of_mentee = (person_busy.c.booking_id == group.id, person_busy.c.mentor_profile_id.is_(None))
    of_rows = [
        db.scalar(select(func.count()).where(*which))
        for which in ((booking_participants.c.booking_id == group.id,), of_mentee)
    ]
    taken = db.scalar(select(group_sessions.c.seats_taken).where(group_sessions.c.booking_id == group.id))
    return int(taken or 0), int(of_rows[0] or 0), int(of_rows[1] or 0)


def test_fifty_race_for_the_last_five_seats(wide_engine: Engine, wide_race: Race) -> None:
    with wide_engine.begin() as db:
        scene = Scene(db, MENTEES)
        groups = [scene.group(db, SEATS) for _ in range(ROUNDS)]
    wide_engine.dispose()
    for group in groups:
        calls = [
            partial(scene.join, group=group, person=person, paid=number % 2 == 0)
            for number, person in enumerate(scene.people)
        ]
        outcomes = wide_race.transact(calls)
        assert Counter(codes(outcomes)) == {"group_full": MENTEES - SEATS}
        assert sorted(joined.seats_taken for joined in winners(outcomes)) == [1, 2, 3, 4, 5]
    wide_engine.dispose()
    with wide_engine.begin() as db:
        for group in groups:
            assert seats_of(db, group) == (SEATS, SEATS, SEATS)
        full = select(func.count()).select_from(events).where(events.c.type == "group_session.full")
        assert db.scalar(full) == ROUNDS
        scene.require_consistent(db)


@pytest.mark.parametrize("capacity", [1, 3])
def test_of_eight_clicks_one_takes_a_seat(engine: Engine, race: Race, capacity: int) -> None:
    with engine.begin() as db:
        scene = Scene(db, 1)
        groups = [scene.group(db, capacity) for _ in range(ROUNDS)]
    for group in groups:
        outcomes = race.transact([partial(scene.join, group=group, person=scene.people[0])] * 8)
        assert codes(outcomes) == ["already_joined"] * 7
    with engine.begin() as db:
        assert [seats_of(db, group) for group in groups] == [(1, 1, 1)] * ROUNDS
        scene.require_consistent(db)


def test_one_person_joins_one_of_two_groups_at_a_time(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        scene = Scene(db, 4)
        other = Scene(db, 0, scene.course)
        pairs = []
        for _ in range(ROUNDS):
            start = factories.next_slot()
            pairs.append((scene.group(db, 4, start_time=start), other.group(db, 4, start_time=start)))
    for pair in pairs:
        calls = [
            partial(scene.join, group=group, person=person, paid=False) for person in scene.people for group in pair
        ]
        assert codes(race.transact(calls)) == ["slot_taken"] * 4


def _leave(db: Connection, *, group: Group, person: User) -> None:
    actor, now = factories.acting_user(person), datetime.now(UTC)
    leave(db, actor=actor, group=group, mentee_user_id=person.id, reason=None, now=now, policy=DEFAULT_POLICY)


def _wait(db: Connection, *, group: Group, person: User) -> None:
    join_waitlist(db, actor=factories.acting_user(person), group=group, now=datetime.now(UTC), policy=DEFAULT_POLICY)


def _decline(db: Connection, *, group: Group, person: User) -> None:
    leave_waitlist(db, actor=factories.acting_user(person), group=group, now=datetime.now(UTC), policy=DEFAULT_POLICY)


def _lapse(db: Connection, *, group: Group, person: User) -> None:
    del person
    lock_group(db, group.id)
    offer_seats(db, group=group, now=datetime.now(UTC) + timedelta(minutes=61), policy=DEFAULT_POLICY)


def _resize(db: Connection, *, group: Group, person: User, capacity: int) -> None:
    del person
    change_capacity(
        db,
        actor=factories.OPERATOR,
        group=group,
        capacity=capacity,
        now=datetime.now(UTC),
        policy=DEFAULT_POLICY,
        any_version=True,
    )


def _cancel(db: Connection, *, session_id: UUID) -> None:
    session = SessionWithTerms.of(db.execute(session_with_terms_query(session_id)).one())
    cancel(db, actor=factories.OPERATOR, session=session, reason="Ill", now=datetime.now(UTC))


def test_whatever_races_the_seats_stay_true(engine: Engine, race: Race) -> None:
    chance = random.Random(7)
    with engine.begin() as db:
        scene = Scene(db, 8)
        other = Scene(db, 0, scene.course)
        start = factories.next_slot()
        # At one time: each seat in one of them is in the way of the other.
        groups = [scene.group(db, 3, start_time=start), other.group(db, 3, start_time=start)]
    acts: list[Callable[..., Any]] = [
        *[scene.join] * 3,
        *[partial(scene.join, offered=True)] * 2,
        *[_leave] * 3,
        *[_wait] * 3,
        *[_decline, _lapse],
        *[partial(_resize, capacity=capacity) for capacity in (2, 4)],
    ]
    refusals = Counter[str]()
    for _round in range(ROUNDS * 5):
        calls = [
            partial(chance.choice(acts), group=chance.choice(groups), person=chance.choice(scene.people))
            for _ in range(ACTS)
        ]
        refusals += Counter(codes(race.transact(calls)))
        with engine.begin() as db:
            scene.require_consistent(db)
            while offer_waited_seats(db, now=datetime.now(UTC), policy=DEFAULT_POLICY):
                pass
            for group in groups:
                present = read_group(db, group.id)
                assert seats_of(db, group) == (present.seats_taken,) * 3
                busy = select(person_busy.c.user_id).where(person_busy.c.booking_id != group.id)
                waits = select(waitlist_entries.c.id).where(
                    waitlist_entries.c.booking_id == group.id,
                    waitlist_entries.c.offered_until.is_(None),
                    waitlist_entries.c.user_id.not_in(busy),
                )
                # An offer passes over people who sit in the other group. Nobody else waits while a seat is free.
                assert present.full or not db.execute(waits).all()
    known = {"already_joined", "group_full", "no_offer", "not_found", "seats_free", "slot_taken"}
    assert set(refusals) <= known


def test_a_cancelled_group_refunds_who_joins_meanwhile(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        scene = Scene(db, 8)
        groups = [scene.group(db, 4) for _ in range(ROUNDS)]
        for group in groups:
            for person in scene.people[:3]:
                scene.join(db, group=group, person=person)
    for group in groups:
        assert group.session_id is not None
        calls: list[Any] = [partial(scene.join, group=group, person=person) for person in scene.people[3:]]
        calls += [partial(_leave, group=group, person=scene.people[0])]
        calls += [partial(_cancel, session_id=group.session_id)]
        outcomes = race.transact(calls)
        assert set(codes(outcomes)) <= {"group_full", "invalid_transition", "not_found"}
        with engine.begin() as db:
            refund_all(db, group=group, actor=factories.OPERATOR, now=datetime.now(UTC))
    with engine.begin() as db:
        assert db.scalar(select(func.count()).select_from(person_busy)) == 0
        # Every credit is back, of those who left and of those who were refunded.
        assert set(db.scalars(select(bundle_purchases.c.remaining_sessions))) == {100}
        refunded = select(func.count()).select_from(events).where(events.c.type == "seat.refunded")
        assert db.scalar(refunded) == db.scalar(select(func.count()).select_from(booking_participants))


def test_of_two_waivers_of_a_seats_fee_one_refunds_it(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        with engine.begin() as db:
            scene = Scene(db, 1)
            (person,) = scene.people
            group = scene.group(db, 1)
            scene.join(db, group=group, person=person)
            about: dict[str, Any] = {"group": group, "mentee_user_id": person.id, "reason": None}
            late = group.start_time - timedelta(hours=1)
            leave(db, actor=factories.acting_user(person), now=late, policy=DEFAULT_POLICY, **about)
        waive = partial(
            waive_seat_fee,
            actor=factories.OPERATOR,
            booking_id=group.id,
            session_id=session_id_of(group.id),
            mentee_user_id=person.id,
            reason="Ill",
            now=late,
        )
        assert codes(race.transact([waive] * 2)) == []
        with engine.connect() as db:
            refunds = select(func.count()).where(events.c.subject_id == group.id, events.c.type == "seat.refunded")
            assert db.scalar(refunds) == 1
            scene.require_consistent(db)
