"""Tests of the waiting list of a group: a freed seat is kept for the first in line, then for the next."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, select, update

from models.calendar import person_busy
from models.events import deliveries, events
from models.groups import group_sessions, waitlist_entries
from models.notifications import notifications
from models.people import mentor_profiles
from models.sessions import session_id_of
from tests import factories
from tests.integration.harness import Harness
from tests.integration.test_seats import NOW, START, TICK, Scene, refused
from tests.queries import execute, scalars
from workers.maintain import maintain
from workflows.accounts.records import User
from workflows.events.event_types import BookingAccepted
from workflows.events.record import record
from workflows.groups.place import Place, read_group
from workflows.groups.records import Group
from workflows.groups.seats import refund_all
from workflows.groups.waitlist import join_waitlist, leave_waitlist, offer_seats, offer_waited_seats
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition
from workflows.kernel.locks import lock_group
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.sessions.records import Session, session_query

HOUR = timedelta(hours=1)


class FullGroup(Scene):
    """A group of one seat, which Ada has."""

    def __init__(self, db: Connection, **terms: Any) -> None:
        super().__init__(db, capacity=1, terms=terms)
        self.ada = self.person()
        self.join(self.ada)

    def wait(self, person: User, *, now: datetime = NOW, policy: OperatorPolicy = DEFAULT_POLICY) -> Place:
        actor = factories.acting_user(person)
        return join_waitlist(self.db, actor=actor, group=self.group, now=now, policy=policy)[0]

    def waiting(self, number: int) -> list[User]:
        people = [self.person() for _ in range(number)]
        for person in people:
            self.wait(person)
        return people

    def decline(self, person: User, *, now: datetime = NOW) -> None:
        leave_waitlist(self.db, actor=factories.acting_user(person), group=self.group, now=now, policy=DEFAULT_POLICY)

    def accept(self, person: User, **how: Any) -> Group:
        return self.join(person, offered_only=True, **how)

    def line(self) -> dict[UUID, datetime | None]:
        """Everyone who waits, in their order, and until when a seat is kept for them."""
        query = select(waitlist_entries.c.user_id, waitlist_entries.c.offered_until).order_by(waitlist_entries.c.id)
        return {row.user_id: row.offered_until for row in self.db.execute(query)}

    def seats(self) -> tuple[int, int]:
        group = self.present()
        return group.seats_taken, group.seats_offered


def test_positions_follow_the_order_of_arrival(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    assert (group.wait(ben).position, group.wait(eve).position) == (1, 2)
    group.decline(ben)
    assert group.wait(eve).position == 1
    assert group.wait(ben).position == 2


def test_only_a_full_group_has_a_waiting_list(db: Connection) -> None:
    group = FullGroup(db)
    db.execute(update(group_sessions).values(capacity=2))
    refused(Conflict, "seats_free", group.wait, group.person())
    refused(Conflict, "already_joined", group.wait, group.ada)
    refused(InvalidTransition, "invalid_transition", group.wait, group.person(), now=START)
    of_mentor = User.query().where(User.table.c.id == group.mentor.user_id)
    refused(Invalid, "invalid_request", group.wait, User.of(db.execute(of_mentor).one()))


def test_a_freed_seat_is_kept_for_the_first_in_line(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    group.leave(group.ada)
    assert group.line() == {ben.id: NOW + HOUR, eve.id: None}
    assert group.seats() == (0, 1)
    assert group.present().full
    # For others it is taken.
    refused(Conflict, "group_full", group.join)
    refused(Conflict, "group_full", group.join, eve)
    refused(Conflict, "no_offer", group.accept, eve)
    assert group.accept(ben).seats_taken == 1
    assert (group.line(), group.seats()) == ({eve.id: None}, (1, 0))
    # It has been full all the time.
    assert len(group.events("group_session.full")) == 1
    assert not group.violations()


def test_a_plain_join_takes_the_offered_seat(db: Connection) -> None:
    group = FullGroup(db)
    (ben,) = group.waiting(1)
    group.leave(group.ada)
    group.join(ben)
    assert (group.line(), group.seats()) == ({}, (1, 0))


def test_a_declined_offer_goes_to_the_next(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    group.leave(group.ada)
    group.decline(ben)
    assert (group.line(), group.seats()) == ({eve.id: NOW + HOUR}, (0, 1))
    group.decline(eve)
    group.decline(eve)
    assert (group.line(), group.seats()) == ({}, (0, 0))
    assert group.join().seats_taken == 1


def test_an_offer_lapses_at_its_end_without_its_timer(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    group.leave(group.ada)
    late = NOW + HOUR
    refused(Conflict, "no_offer", group.accept, ben, now=late)
    refused(Conflict, "group_full", group.join, now=late)
    # Eve's turn, though no timer has run.
    assert group.accept(eve, now=late).seats_taken == 1
    assert group.line() == {}
    reasons = [(data["user_id"], data["reason"]) for _type, data, _actor in group.events("waitlist.dropped")]
    assert reasons == [(str(ben.id), "lapsed")]


def test_just_before_its_end_an_offer_is_taken(db: Connection) -> None:
    group = FullGroup(db)
    (ben,) = group.waiting(1)
    group.leave(group.ada)
    assert group.accept(ben, now=NOW + HOUR - TICK).seats_taken == 1


def test_after_a_lapsed_offer_one_waits_at_the_end(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    group.leave(group.ada)
    entry = group.wait(ben, now=NOW + HOUR)
    assert (entry.position, entry.offered_until) == (2, None)
    assert group.line() == {eve.id: NOW + 2 * HOUR, ben.id: None}


@pytest.mark.parametrize(
    ("now", "minutes", "until"),
    [
        # At the start at the latest.
        (START - timedelta(minutes=10), 60, START),
        (NOW, 5, NOW + timedelta(minutes=5)),
        # Without a limit of its own.
        (NOW, 0, START),
    ],
)
def test_an_offer_ends_at_the_start_at_the_latest(db: Connection, now: datetime, minutes: int, until: datetime) -> None:
    group = FullGroup(db)
    (ben,) = group.waiting(1)
    group.leave(group.ada, now=now, policy=OperatorPolicy(waitlist_offer_minutes=minutes))
    assert group.line() == {ben.id: until}


def test_raised_capacity_is_offered_to_as_many_as_fit(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve, lin = group.waiting(3)
    lock_group(db, group.group.id)
    db.execute(update(group_sessions).values(capacity=3))
    offer_seats(db, group=group.group, now=NOW, policy=DEFAULT_POLICY)
    assert group.line() == {ben.id: NOW + HOUR, eve.id: NOW + HOUR, lin.id: None}
    assert group.seats() == (1, 2)


def test_an_offered_seat_is_paid_with_a_bundle(db: Connection) -> None:
    group = FullGroup(db)
    (ben,) = group.waiting(1)
    bundle = group.bundle(ben, session_count=2)
    group.leave(group.ada)
    group.accept(ben, bundle_purchase_id=bundle)
    assert group.credits(bundle) == 1


def test_a_cancellation_drops_the_waiting_list(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    group.leave(group.ada)
    refund_all(db, group=group.group, actor=factories.OPERATOR, now=NOW)
    assert (group.line(), group.seats()) == ({}, (0, 0))
    dropped = {(data["user_id"], data["reason"]) for _type, data, _actor in group.events("waitlist.dropped")}
    assert dropped == {(str(ben.id), "cancelled"), (str(eve.id), "cancelled")}
    assert not group.violations()


# Ada leaves; Ben is first in line, and then Eve.
@pytest.fixture
def freed(harness: Harness) -> tuple[Harness, FullGroup, User, User]:
    with harness.transactions() as db:
        group = FullGroup(db)
        ben, eve = group.waiting(2)
        group.leave(group.ada)
    return harness, group, ben, eve


def offers(harness: Harness) -> dict[UUID, datetime | None]:
    with harness.engine.connect() as db:
        query = select(waitlist_entries.c.user_id, waitlist_entries.c.offered_until)
        return {row.user_id: row.offered_until for row in db.execute(query)}


def test_a_timer_passes_the_offer_on(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, group, _ben, eve = freed
    key = harness.key("waitlist.expire")
    assert harness.row(key).due_at == NOW + HOUR
    # Long before its end nothing is due.
    harness.run_all("sessions")
    assert len(offers(harness)) == 2
    harness.make_due(key)
    harness.deliver("waitlist.expire")
    (until,) = offers(harness).values()
    assert list(offers(harness)) == [eve.id]
    assert until is not None
    with harness.engine.connect() as db:
        assert read_group(db, group.group.id).seats_offered == 1
        timers = select(deliveries).where(deliveries.c.effect == "waitlist.expire", deliveries.c.state == "pending")
        assert [row.due_at for row in db.execute(timers)] == [until]


def test_the_timer_of_a_taken_seat_does_nothing(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, group, ben, eve = freed
    with harness.transactions() as db:
        group.db = db
        group.accept(ben)
    harness.make_due(harness.key("waitlist.expire"))
    harness.deliver("waitlist.expire")
    assert offers(harness) == {eve.id: None}


def test_the_first_in_line_is_mailed_until_when(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, _group, ben, _eve = freed
    harness.run_all("notifications")
    with harness.engine.connect() as db:
        written = select(notifications).where(notifications.c.kind == "waitlist_offered")
        rows = db.execute(written).all()
    assert {row.user_id for row in rows} == {ben.id}
    assert f"{NOW + HOUR:%-I:%M}\u202f{NOW + HOUR:%p} (UTC)" in rows[0].body
    (mail,) = [mail for mail in harness.mail.received if "is kept for you" in mail.subject]
    assert mail.to_address == ben.email


def test_an_offer_that_was_declined_is_not_mailed(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, group, ben, eve = freed
    with harness.transactions() as db:
        group.db = db
        group.decline(ben)
    harness.run_all("notifications")
    kept = [mail.to_address for mail in harness.mail.received if "is kept for you" in mail.subject]
    assert kept == [eve.email]


def test_those_dropped_are_notified_why(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, group, ben, eve = freed
    with harness.transactions() as db:
        group.db = db
        lock_group(db, group.group.id)
        offer_seats(db, group=group.group, now=NOW + HOUR, policy=DEFAULT_POLICY)
        refund_all(db, group=group.group, actor=factories.OPERATOR, now=NOW + HOUR)
    harness.run_all("notifications")
    mails = {mail.to_address: mail.subject for mail in harness.mail.received if "kept for you" not in mail.subject}
    assert "no longer kept" in mails[ben.email]
    assert "was cancelled" in mails[eve.email]
    assert execute(harness.engine, select(events.c.actor).where(events.c.type == "waitlist.dropped")).all()


def booked(harness: Harness, group: FullGroup) -> None:
    """The group as a schedule makes it: with the event from which its timers follow."""
    with harness.transactions() as db:
        record(db, BookingAccepted.about(group.group, actor=factories.OPERATOR, now=NOW))


def reasons(harness: Harness) -> dict[str, str]:
    dropped = scalars(harness.engine, select(events.c.data).where(events.c.type == "waitlist.dropped")).all()
    return {data["user_id"]: data["reason"] for data in dropped}


def test_a_timer_ends_the_waiting_list_at_the_start(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, group, ben, eve = freed
    booked(harness, group)
    key = harness.key("waitlist.close")
    assert START < harness.row(key).due_at <= START + timedelta(minutes=1)
    harness.run_all("sessions")
    assert len(offers(harness)) == 2
    harness.make_due(key)
    harness.deliver("waitlist.close")
    assert offers(harness) == {}
    assert reasons(harness) == {str(ben.id): "begun", str(eve.id): "begun"}
    with harness.engine.connect() as db:
        group.db = db
        assert group.seats() == (0, 0)
        assert not group.violations()
    harness.run_all("notifications")
    mails = {mail.to_address: mail.text for mail in harness.mail.received if "has begun" in mail.subject}
    assert set(mails) == {ben.email, eve.email}
    assert "No seat became free for you" in mails[eve.email]


def test_a_session_started_early_ends_its_waiting_list(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, group, ben, eve = freed
    with harness.transactions() as db:
        session = Session.of(db.execute(session_query(session_id_of(group.group.id))).one())
        factories.start_session(db, session)
    harness.run_all("sessions")
    assert offers(harness) == {}
    assert reasons(harness) == {str(ben.id): "begun", str(eve.id): "begun"}
    with harness.transactions() as db:
        group.db = db
        refused(InvalidTransition, "invalid_transition", group.wait, group.person())


def test_individual_sessions_have_no_waiting_list_to_end(harness: Harness) -> None:
    with harness.transactions() as db:
        session = factories.make_session(db)
        factories.start_session(db, session)
        booking = factories.make_booking(db)
        factories.accept_booking(db, booking)
    with harness.engine.connect() as db:
        closing = select(deliveries).where(deliveries.c.effect.startswith("waitlist."))
        assert not db.execute(closing).all()


def test_an_offer_that_lapses_at_the_start_invites_to_nothing(freed: tuple[Harness, FullGroup, User, User]) -> None:
    harness, group, ben, _eve = freed
    with harness.transactions() as db:
        lock_group(db, group.group.id)
        offer_seats(db, group=group.group, now=START, policy=DEFAULT_POLICY)
    harness.run_all("notifications")
    (mail,) = [mail for mail in harness.mail.received if "no longer kept" in mail.subject]
    assert mail.to_address == ben.email
    assert "join the waiting list again" not in mail.text


def busy_then(group: FullGroup, person: User, *, as_mentor: bool = False) -> None:
    """Let the person have a session of their own at the group's time, as a mentee or as a mentor."""
    mentor = factories.make_mentor(group.db, person) if as_mentor else None
    listing = factories.make_listing(group.db, mentor, booking_mode="instant")
    mentee = None if as_mentor else person
    factories.make_booking(group.db, listing=listing, mentee=mentee, start_time=START + HOUR / 2)


@pytest.mark.parametrize("as_mentor", [False, True])
def test_who_is_busy_then_does_not_enter_the_waiting_list(db: Connection, as_mentor: bool) -> None:
    group, ben = FullGroup(db), factories.make_user(db)
    busy_then(group, ben, as_mentor=as_mentor)
    refusal = refused(Conflict, "slot_taken", group.wait, ben)
    assert list(refusal.details or ()) == ["mentee"]
    assert group.line() == {}
    allowing = OperatorPolicy(mentee_overlap=True)
    if as_mentor:
        refused(Conflict, "slot_taken", group.wait, ben, policy=allowing)
    else:
        assert group.wait(ben, policy=allowing).position == 1


@pytest.mark.parametrize("as_mentor", [False, True])
def test_an_offer_passes_over_who_became_busy_meanwhile(db: Connection, as_mentor: bool) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    busy_then(group, ben, as_mentor=as_mentor)
    group.leave(group.ada)
    assert group.line() == {ben.id: None, eve.id: NOW + HOUR}
    assert group.seats() == (0, 1)
    # Ben keeps the first position for a time at which he is free.
    assert group.wait(ben).position == 1
    assert not group.violations()


def test_a_seat_that_no_one_in_line_can_take_is_free(db: Connection) -> None:
    group = FullGroup(db)
    (ben,) = group.waiting(1)
    busy_then(group, ben)
    group.leave(group.ada)
    assert (group.line(), group.seats()) == ({ben.id: None}, (0, 0))
    assert group.join(group.person()).seats_taken == 1


def test_with_overlap_an_offer_passes_over_who_teaches_alone(db: Connection) -> None:
    group, allowing = FullGroup(db), OperatorPolicy(mentee_overlap=True)
    ben, eve = group.waiting(2)
    busy_then(group, ben, as_mentor=True)
    busy_then(group, eve)
    group.leave(group.ada, policy=allowing)
    assert group.line() == {ben.id: None, eve.id: NOW + HOUR}


def free_again(group: FullGroup, person: User) -> None:
    group.db.execute(delete(person_busy).where(person_busy.c.user_id == person.id))


def test_who_was_passed_over_is_offered_the_seat_once_free(db: Connection) -> None:
    group = FullGroup(db)
    (ben,) = group.waiting(1)
    busy_then(group, ben)
    group.leave(group.ada)
    offering = partial(offer_waited_seats, db, now=NOW + TICK, policy=DEFAULT_POLICY, limit=1)
    assert (offering(), group.seats()) == (False, (0, 0))
    free_again(group, ben)
    assert (offering(), group.line()) == (True, {ben.id: NOW + TICK + HOUR})
    assert (offering(), group.seats()) == (False, (0, 1))


def test_maintain_offers_seats_to_who_became_free(harness: Harness) -> None:
    with harness.transactions() as db:
        group = FullGroup(db)
        (ben,) = group.waiting(1)
        busy_then(group, ben)
        group.leave(group.ada)
        free_again(group, ben)
    assert maintain(harness.transactions)
    assert offers(harness)[ben.id] is not None


def test_while_the_mentor_is_inactive_an_offer_ends_and_its_place_stays(db: Connection) -> None:
    group = FullGroup(db)
    ben, eve = group.waiting(2)
    group.leave(group.ada)
    active = update(mentor_profiles).where(mentor_profiles.c.id == group.mentor.id)
    db.execute(active.values(active=False))
    lock_group(db, group.group.id)
    offer_seats(db, group=group.group, now=NOW + HOUR, policy=DEFAULT_POLICY)
    assert (group.line(), group.seats()) == ({ben.id: None, eve.id: None}, (0, 0))
    assert not group.events("waitlist.dropped")
    assert len(group.events("group_session.changed")) == 1
    assert not offer_waited_seats(db, now=NOW + HOUR, policy=DEFAULT_POLICY)
    db.execute(active.values(active=True))
    assert not offer_waited_seats(db, now=NOW + HOUR, policy=DEFAULT_POLICY)
    assert (group.line(), group.seats()) == ({ben.id: NOW + 2 * HOUR, eve.id: None}, (0, 1))
