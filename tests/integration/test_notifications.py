"""Tests of who hears of what: each kind, in whose words, by which channels, and of nobody else's affairs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from models.bookings import booking_participants
from models.catalog import courses
from models.events import deliveries
from models.notifications import Channel, notification_preferences, notifications
from tests.factories import (
    OPERATOR,
    accept_booking,
    acting_user,
    make_booking,
    make_listing,
    make_mentor,
    make_session,
    make_user,
    mentor_of,
    start_session,
)
from tests.integration.harness import Harness, without_guards
from tests.statements import statements_of
from workflows.events.catalogue import BundleExhausted, Event, ReviewUnlocked, SeatJoined, SeatLeft, SessionCreated
from workflows.events.record import record
from workflows.identity.actor import SYSTEM, Actor
from workflows.identity.people import Mentor, User
from workflows.invariants import check_all
from workflows.notifications.preferences import Choice, lock_choices, replace_choices, switch_off
from workflows.sessions.cancel import cancel
from workflows.sessions.session import Session, SessionWithTerms, session_with_terms_query
from workflows.sessions.steps import complete, start


@dataclass
class Told:
    """Grace in Berlin, Ada in New York, and what they are told."""

    harness: Harness
    mentor: Mentor
    grace: User
    ada: User

    def session(self, **listing: Any) -> Session:
        """A session of theirs, about compilers for 40 dollars."""
        with self.harness.transactions() as db:
            offer = make_listing(db, self.mentor, early_start_minutes=None, **listing)
            return make_session(db, listing=offer, mentee=self.ada)

    def happen(self, *events: Event) -> None:
        """Record what no workflow of this test does, and let all follow."""
        with self.harness.transactions() as db:
            for event in events:
                record(db, event)
        self.harness.run_all()

    def of(self, kind: str) -> dict[tuple[str, str], Any]:
        """The notifications of a kind, by the reader's name and the channel."""
        names = {self.grace.id: "Grace", self.ada.id: "Ada"}
        with self.harness.engine.connect() as db:
            rows = db.execute(select(notifications).where(notifications.c.kind == kind)).all()
        return {(names.get(row.user_id, "somebody else"), str(row.channel)): row for row in rows}


@pytest.fixture
def told(harness: Harness) -> Told:
    """Both of them."""
    with harness.transactions() as db:
        grace = make_user(db, name="Grace", time_zone="Europe/Berlin")
        ada = make_user(db, name="Ada", time_zone="America/New_York")
        return Told(harness, make_mentor(db, grace), grace, ada)


def test_an_acceptance_is_told_to_the_mentee_in_the_application_alone(told: Told) -> None:
    with told.harness.transactions() as db:
        booking = make_booking(db, listing=make_listing(db, told.mentor), mentee=told.ada)
        accept_booking(db, booking)
    told.harness.run_all()
    found = told.of("booking_accepted")
    assert set(found) == {("Ada", "in_app")}
    row = found["Ada", "in_app"]
    assert (row.title, row.booking_id, row.session_id) == ("Grace accepted your request", booking.id, None)
    assert "(America/New_York)" in row.body


def test_nobody_is_told_of_their_own_instant_booking_twice(told: Told) -> None:
    with told.harness.transactions() as db:
        make_booking(db, listing=make_listing(db, told.mentor, booking_mode="instant"), mentee=told.ada)
    told.harness.run_all()
    assert told.of("booking_accepted") == {}
    assert {name for name, _channel in told.of("session_created")} == {"Ada", "Grace"}


@pytest.mark.parametrize(("who", "hears"), [("mentor", "Ada"), ("mentee", "Grace")])
def test_whoever_starts_a_session_need_not_be_told(told: Told, who: str, hears: str) -> None:
    session = told.session()
    with told.harness.transactions() as db:
        actor = mentor_of(session) if who == "mentor" else acting_user(told.ada)
        start(db, actor=actor, session=session, early_start_minutes=None, now=datetime.now(UTC))
    told.harness.run_all()
    assert set(told.of("session_started")) == {(hears, "in_app")}


def test_a_mentor_who_is_the_mentee_is_not_told_of_their_own_start(told: Told) -> None:
    session = told.session()
    with told.harness.transactions() as db:
        other = make_mentor(db, told.ada)
        start(
            db,
            actor=Actor.person(told.ada.id, other.id),
            session=session,
            early_start_minutes=None,
            now=datetime.now(UTC),
        )
    told.harness.run_all()
    assert set(told.of("session_started")) == {("Grace", "in_app")}


def called_off(told: Told, actor: Actor, *, hours: int = 24, refund: bool = True, currency: str = "USD") -> None:
    """A session that somebody cancels, by a policy of so many hours and half the price."""
    session = told.session(cancellation_window_hours=hours, price_currency=currency)
    with told.harness.transactions() as db:
        found = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        now = datetime.now(UTC)
        cancel(db, actor=actor, session=found, reason="I am ill.", refund_requested=refund, now=now)
    told.harness.run_all()


def test_a_late_cancellation_says_to_both_what_it_costs_and_why(told: Told) -> None:
    called_off(told, acting_user(told.ada), hours=24 * 365)
    found = told.of("session_cancelled")
    assert set(found) == {(name, channel) for name in ("Ada", "Grace") for channel in ("in_app", "email")}
    ada, grace = found["Ada", "email"], found["Grace", "email"]
    assert (ada.title, grace.title) == ("Your session with Grace was cancelled", "Your session with Ada was cancelled")
    assert ada.body.startswith("You cancelled")
    assert "(America/New_York). The reason:\n\n> I am ill." in ada.body
    for amount in ("price of USD 40.00", "USD 20.00 is kept", "USD 20.00 will be refunded to you."):
        assert amount in ada.body
    assert grace.body.startswith("Ada cancelled")
    assert "(Europe/Berlin)." in grace.body
    assert "USD 20.00 will be refunded to Ada." in grace.body
    assert {row.session_id for row in found.values()} != {None}


@pytest.mark.parametrize(("canceller", "who"), [("mentor", "Grace"), ("operator", "We")])
def test_a_cancellation_by_the_other_side_costs_nothing(told: Told, canceller: str, who: str) -> None:
    actor = Actor.person(told.grace.id, told.mentor.id) if canceller == "mentor" else OPERATOR
    called_off(told, actor, currency="JPY")
    body = told.of("session_cancelled")["Ada", "email"].body
    assert body.startswith(f"{who} cancelled")
    assert body.endswith("There is no fee. The price of JPY 4,000 will be refunded to you.")


def test_a_session_cancelled_meanwhile_has_no_booked_notification(told: Told) -> None:
    session = told.session()
    with told.harness.transactions() as db:
        record(db, SessionCreated.about(session, actor=SYSTEM, now=datetime.now(UTC)))
        found = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        cancel(db, actor=OPERATOR, session=found, reason="I am ill.", now=datetime.now(UTC))
    told.harness.run_all()
    assert told.of("session_created") == {}
    everywhere = {(name, channel) for name in ("Ada", "Grace") for channel in ("in_app", "email")}
    assert set(told.of("session_cancelled")) == everywhere
    with told.harness.engine.connect() as db:
        # It was made and followed up all the same.
        done = select(deliveries.c.state).where(deliveries.c.effect == "notifications.session_created")
        assert db.scalars(done).all() == ["done"]
        assert [finding for finding in check_all(db) if finding.violations] == []


def test_without_a_request_there_is_no_refund(told: Told) -> None:
    called_off(told, acting_user(told.ada), refund=False)
    assert told.of("session_cancelled")["Ada", "in_app"].body.endswith("There is no fee. No refund was requested.")


def unlocked(session: Session, user_id: UUID) -> ReviewUnlocked:
    """A permit for somebody."""
    return ReviewUnlocked(
        actor="system",
        occurred_at=datetime.now(UTC),
        session_id=session.id,
        booking_id=session.booking_id,
        mentor_profile_id=session.mentor_profile_id,
        mentee_user_id=user_id,
        expires_at=datetime(2030, 7, 1, 9, tzinfo=UTC),
    )


def test_a_review_may_be_written_by_its_mentee_and_nobody_else_hears_of_it(told: Told) -> None:
    told.happen(unlocked(told.session(), told.ada.id))
    found = told.of("review_unlocked")
    assert set(found) == {("Ada", "in_app")}
    row = found["Ada", "in_app"]
    assert row.title == "How was your session with Grace?"
    assert "until Monday, 1 July 2030, 05:00 (America/New_York)" in row.body


def test_who_is_no_mentee_of_a_session_hears_nothing_of_it(told: Told) -> None:
    with told.harness.transactions() as db:
        stranger = make_user(db, name="Stranger")
    told.happen(unlocked(told.session(), stranger.id))
    assert told.of("review_unlocked") == {}


def a_seat(kind: type[SeatJoined | SeatLeft], session: Session, user_id: UUID) -> SeatJoined | SeatLeft:
    """A seat that changes hands."""
    return kind(
        actor=f"user:{user_id}",
        occurred_at=datetime.now(UTC),
        booking_id=session.booking_id,
        listing_id=uuid4(),
        mentor_profile_id=session.mentor_profile_id,
        user_id=user_id,
        start_time=session.start_time,
        end_time=session.end_time,
        capacity=8,
        seats_taken=3,
    )


@pytest.mark.parametrize(("kind", "name"), [(SeatJoined, "seat_joined"), (SeatLeft, "seat_left")])
def test_a_seat_concerns_two_people_and_not_the_rest_of_the_group(
    told: Told, kind: type[SeatJoined | SeatLeft], name: str
) -> None:
    session = told.session()
    with told.harness.transactions() as db, without_guards(db):
        joiner = make_user(db, name="Lin", time_zone="Asia/Kathmandu")
    told.happen(a_seat(kind, session, joiner.id))
    found = told.of(name)
    assert {reader for reader, _channel in found} == {"Grace", "somebody else"}
    assert "Lin" in found["Grace", "email"].title
    assert "3 of 8 seats are taken" in found["Grace", "email"].body
    assert "(Asia/Kathmandu)" in found["somebody else", "email"].body
    assert "3 of 8" not in found["somebody else", "email"].body


def test_a_bundle_that_is_used_up_is_told_by_its_course(told: Told) -> None:
    course_id = uuid4()
    with told.harness.transactions() as db:
        db.execute(insert(courses).values(id=course_id, title="Logic"))
    told.happen(
        BundleExhausted(
            actor="system",
            occurred_at=datetime.now(UTC),
            bundle_purchase_id=uuid4(),
            mentee_user_id=told.ada.id,
            course_id=course_id,
            product_id=uuid4(),
        )
    )
    found = told.of("bundle_exhausted")
    assert set(found) == {("Ada", "in_app"), ("Ada", "email")}
    assert found["Ada", "email"].title == "Your bundle for Logic is used up"


def test_whoever_has_left_a_group_hears_no_more_of_it(told: Told) -> None:
    session = told.session()
    with told.harness.transactions() as db:
        start_session(db, session)
        db.execute(booking_participants.delete().where(booking_participants.c.user_id == told.ada.id))
    told.harness.run_all()
    assert told.of("session_started") == {}


def test_a_crowd_is_named_by_its_first_and_counted(told: Told) -> None:
    with told.harness.transactions() as db:
        booking = make_booking(db, listing=make_listing(db, told.mentor), mentee=told.ada)
        accept_booking(db, booking)
        for name in ("Lin", "Max", "Kim"):
            user = make_user(db, name=name)
            db.execute(insert(booking_participants).values(booking_id=booking.id, user_id=user.id))
    told.harness.run_all()
    title = told.of("session_created")["Grace", "email"].title
    assert title.startswith("Your session with ")
    assert title.endswith(" and 2 others is booked")


def test_people_and_what_they_want_are_read_in_one_statement_and_written_in_two(told: Told) -> None:
    session = told.session()
    told.harness.run_all()
    with told.harness.transactions() as db:
        started = start_session(db, session)
        complete(db, actor=mentor_of(started), session=started, now=datetime.now(UTC) + timedelta(seconds=1))
    key = told.harness.key("notifications.session_completed")
    with statements_of(told.harness.engine) as made:
        told.harness.deliverer.deliver(key)
    # The claim, a savepoint and its end, the people, their notifications, the mails, and the delivery's end.
    assert len(made.statements) <= 7, made.statements
    assert len([each for each in made.statements if "notification_preferences" in each]) == 1


def test_a_channel_that_is_switched_off_writes_no_row_and_sends_nothing(told: Told) -> None:
    with told.harness.transactions() as db:
        for kind, channel in (("session_created", Channel.EMAIL), ("session_cancelled", Channel.EMAIL)):
            switch_off(db, Choice(user_id=told.ada.id, kind=kind, channel=channel))
        booking = make_booking(db, listing=make_listing(db, told.mentor), mentee=told.ada)
        accept_booking(db, booking)
    told.harness.run_all()
    assert set(told.of("session_created")) == {("Ada", "in_app"), ("Grace", "in_app"), ("Grace", "email")}
    assert {mail.to_name for mail in told.harness.mail.received if "is booked" in mail.subject} == {"Grace"}


def violations(told: Told) -> int:
    """How many people have not what they should have, a while after they last chose."""
    with told.harness.engine.begin() as db, without_guards(db):
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        db.execute(update(notification_preferences).values(updated_at=long_ago))
        (finding,) = [each for each in check_all(db) if each.name == "notification_missing_or_doubled"]
    return finding.violations


def test_the_invariant_goes_by_what_people_chose(told: Told) -> None:
    off = Choice(user_id=told.ada.id, kind="session_created", channel=Channel.EMAIL)
    with told.harness.transactions() as db:
        switch_off(db, off)
        booking = make_booking(db, listing=make_listing(db, told.mentor), mentee=told.ada)
        accept_booking(db, booking)
    told.harness.run_all()
    assert violations(told) == 0
    with told.harness.transactions() as db:
        before = lock_choices(db, told.ada.id)
        replace_choices(db, user_id=told.ada.id, before=before, wanted={})
    # As if they had wanted the mail all along.
    assert violations(told) == 1
