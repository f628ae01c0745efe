"""Tests of notifications: who gets which kind, by which channels, in whose time zone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from models.analytics import session_metrics
from models.bookings import booking_participants
from models.catalog import courses
from models.events import deliveries, events
from models.notifications import Channel, notification_preferences, notifications
from models.reviews import review_permits
from tests.factories import (
    OPERATOR,
    accept_booking,
    acting_user,
    make_booking,
    make_group,
    make_listing,
    make_mentor,
    make_session,
    make_user,
    mentor_of,
    start_session,
)
from tests.integration.harness import Harness, without_guards
from tests.statements import statements_of
from workflows.accounts.records import Mentor, User
from workflows.bookings.actions import accept, decline
from workflows.bookings.actions import cancel as cancel_booking
from workflows.bookings.records import Booking
from workflows.events.event import Event, own_fields
from workflows.events.event_types import (
    BookingAccepted,
    BundleExhausted,
    ReviewUnlocked,
    SeatJoined,
    SeatLeft,
    SessionCreated,
)
from workflows.events.record import record
from workflows.groups.place import read_group
from workflows.groups.seats import join, leave
from workflows.identity.actor import SYSTEM, Actor
from workflows.invariants import check_all
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.notifications.mails import SEND_MAIL
from workflows.notifications.preferences import Choice, lock_choices, replace_choices, switch_off
from workflows.sessions.actions import complete, create, start
from workflows.sessions.cancel import cancel
from workflows.sessions.records import Session, SessionWithTerms, effects_of, session_query, session_with_terms_query


@dataclass
class Parties:
    """Grace in Berlin, Ada in New York, and their notifications."""

    harness: Harness
    mentor: Mentor
    grace: User
    ada: User

    def session(self, **listing: Any) -> Session:
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
        return {(names.get(row.user_id, "other"), str(row.channel)): row for row in rows}


@pytest.fixture
def parties(harness: Harness) -> Parties:
    with harness.transactions() as db:
        grace = make_user(db, name="Grace", time_zone="Europe/Berlin")
        ada = make_user(db, name="Ada", time_zone="America/New_York")
        return Parties(harness, make_mentor(db, grace), grace, ada)


def test_an_acceptance_notifies_the_mentee_in_the_application_only(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        booking = make_booking(db, listing=make_listing(db, parties.mentor), mentee=parties.ada)
        accept_booking(db, booking)
    parties.harness.run_all()
    found = parties.of("booking_accepted")
    assert set(found) == {("Ada", "in_app")}
    row = found["Ada", "in_app"]
    assert (row.title, row.booking_id, row.session_id) == ("Grace accepted your request", booking.id, None)
    assert "(America/New_York)" in row.body


def test_an_instant_booking_notifies_its_mentee_once(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        make_booking(db, listing=make_listing(db, parties.mentor, booking_mode="instant"), mentee=parties.ada)
    parties.harness.run_all()
    assert parties.of("booking_accepted") == {}
    assert {name for name, _channel in parties.of("session_created")} == {"Ada", "Grace"}


def test_a_booking_by_an_operator_is_not_an_accepted_request(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        offer = make_listing(db, parties.mentor, booking_mode="instant")
        booking = make_booking(db, listing=offer, mentee=parties.ada)
    parties.happen(BookingAccepted.about(booking, actor=OPERATOR, now=datetime.now(UTC)))
    row = parties.of("booking_accepted")["Ada", "in_app"]
    assert row.title == "We booked a session with Grace for you"
    assert "request" not in row.body
    assert "accepted" not in row.body


@pytest.mark.parametrize(("who", "notified"), [("mentor", "Ada"), ("mentee", "Grace")])
def test_a_start_notifies_only_the_other_party(parties: Parties, who: str, notified: str) -> None:
    session = parties.session()
    with parties.harness.transactions() as db:
        actor = mentor_of(session) if who == "mentor" else acting_user(parties.ada)
        start(db, actor=actor, session=session, early_start_minutes=None, now=datetime.now(UTC))
    parties.harness.run_all()
    assert set(parties.of("session_started")) == {(notified, "in_app")}


def test_a_mentee_with_a_mentor_profile_gets_no_own_start(parties: Parties) -> None:
    session = parties.session()
    with parties.harness.transactions() as db:
        other = make_mentor(db, parties.ada)
        start(
            db,
            actor=Actor.person(parties.ada.id, other.id),
            session=session,
            early_start_minutes=None,
            now=datetime.now(UTC),
        )
    parties.harness.run_all()
    assert set(parties.of("session_started")) == {("Grace", "in_app")}


def called_off(parties: Parties, actor: Actor, *, hours: int = 24, refund: bool = True, currency: str = "USD") -> None:
    """A session that is cancelled, by a policy of so many hours and half the price."""
    session = parties.session(cancellation_window_hours=hours, price_currency=currency)
    with parties.harness.transactions() as db:
        found = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        # After the hour in which an accepted session can be cancelled for nothing.
        now = found.created_at + timedelta(hours=1.5)
        cancel(db, actor=actor, session=found, reason="I am ill.", refund_requested=refund, now=now)
    parties.harness.run_all()


def test_a_late_cancellation_notifies_both_of_costs_and_reason(parties: Parties) -> None:
    called_off(parties, acting_user(parties.ada), hours=24 * 365)
    found = parties.of("session_cancelled")
    assert set(found) == {(name, channel) for name in ("Ada", "Grace") for channel in ("in_app", "email")}
    ada, grace = found["Ada", "email"], found["Grace", "email"]
    assert (ada.title, grace.title) == ("Your session with Grace was cancelled", "Your session with Ada was cancelled")
    assert ada.body.startswith("You cancelled")
    assert "(America/New_York). The reason:\n\n> I am ill." in ada.body
    for amount in ("price of $40.00", "$20.00 is kept", "$20.00 will be refunded to you."):
        assert amount in ada.body
    assert grace.body.startswith("Ada cancelled")
    assert "(Europe/Berlin)." in grace.body
    assert "$20.00 will be refunded to Ada." in grace.body
    assert {row.session_id for row in found.values()} != {None}


@pytest.mark.parametrize(("canceller", "who"), [("mentor", "Grace"), ("operator", "We")])
def test_a_cancellation_by_the_other_side_costs_nothing(parties: Parties, canceller: str, who: str) -> None:
    actor = Actor.person(parties.grace.id, parties.mentor.id) if canceller == "mentor" else OPERATOR
    called_off(parties, actor, currency="JPY")
    body = parties.of("session_cancelled")["Ada", "email"].body
    assert body.startswith(f"{who} cancelled")
    assert body.endswith("There is no fee. The price of ¥4,000 will be refunded to you.")


def test_a_session_cancelled_meanwhile_has_no_booked_notification(parties: Parties) -> None:
    session = parties.session()
    with parties.harness.transactions() as db:
        record(db, SessionCreated.about(session, actor=SYSTEM, now=datetime.now(UTC)))
        found = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        cancel(db, actor=OPERATOR, session=found, reason="I am ill.", now=datetime.now(UTC))
    parties.harness.run_all()
    assert parties.of("session_created") == {}
    everywhere = {(name, channel) for name in ("Ada", "Grace") for channel in ("in_app", "email")}
    assert set(parties.of("session_cancelled")) == everywhere
    with parties.harness.engine.connect() as db:
        # It was made and followed up all the same.
        done = select(deliveries.c.state).where(deliveries.c.effect == "notifications.session_created")
        assert db.scalars(done).all() == ["done"]
        assert [finding for finding in check_all(db) if finding.violations] == []


def test_without_a_request_there_is_no_refund(parties: Parties) -> None:
    called_off(parties, acting_user(parties.ada), refund=False)
    assert parties.of("session_cancelled")["Ada", "in_app"].body.endswith("There is no fee. No refund was requested.")


def unlocked(session: Session, user_id: UUID) -> ReviewUnlocked:
    return ReviewUnlocked(
        actor="system",
        occurred_at=datetime.now(UTC),
        session_id=session.id,
        booking_id=session.booking_id,
        mentor_profile_id=session.mentor_profile_id,
        mentee_user_id=user_id,
        expires_at=datetime(2030, 7, 1, 9, tzinfo=UTC),
    )


def test_only_its_mentee_is_notified_of_an_unlocked_review(parties: Parties) -> None:
    parties.happen(unlocked(parties.session(), parties.ada.id))
    found = parties.of("review_unlocked")
    assert set(found) == {("Ada", "in_app")}
    row = found["Ada", "in_app"]
    assert row.title == "How was your session with Grace?"
    assert "until Monday, July 1, 2030, 5:00\u202fAM (America/New_York)" in row.body


def test_no_stranger_is_notified_of_an_unlocked_review(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        stranger = make_user(db, name="Stranger")
    parties.happen(unlocked(parties.session(), stranger.id))
    assert parties.of("review_unlocked") == {}


def a_seat(kind: type[SeatJoined | SeatLeft], session: Session, user_id: UUID) -> SeatJoined | SeatLeft:
    costs: dict[str, Any] = {
        "late": False,
        "fee_amount": 0,
        "refund_amount": 0,
        "credit_returned": False,
        "price_amount": 0,
    }
    return kind(
        actor=f"user:{user_id}",
        occurred_at=datetime.now(UTC),
        booking_id=session.booking_id,
        mentor_profile_id=session.mentor_profile_id,
        user_id=user_id,
        seat_id=uuid4(),
        currency="USD",
        start_time=session.start_time,
        end_time=session.end_time,
        capacity=8,
        seats_taken=3,
        **{name: value for name, value in costs.items() if name in own_fields(kind)},
    )


@pytest.mark.parametrize(("kind", "name"), [(SeatJoined, "seat_joined"), (SeatLeft, "seat_left")])
def test_a_seat_notifies_its_mentee_and_the_mentor_only(
    parties: Parties, kind: type[SeatJoined | SeatLeft], name: str
) -> None:
    session = parties.session()
    with parties.harness.transactions() as db, without_guards(db):
        joiner = make_user(db, name="Lin", time_zone="Asia/Kathmandu")
    parties.happen(a_seat(kind, session, joiner.id))
    found = parties.of(name)
    assert {reader for reader, _channel in found} == {"Grace", "other"}
    assert "Lin" in found["Grace", "email"].title
    assert "3 of 8 seats are taken" in found["Grace", "email"].body
    assert "(Asia/Kathmandu)" in found["other", "email"].body
    assert "3 of 8" not in found["other", "email"].body


def test_a_seat_that_an_operator_moves_is_not_the_participants_doing(parties: Parties) -> None:
    moved: dict[str, Any] = {"policy": DEFAULT_POLICY, "now": datetime.now(UTC), "mentee_user_id": parties.ada.id}
    with parties.harness.transactions() as db:
        booking = make_group(db, [], listing=make_listing(db, parties.mentor))
        create(db, booking_id=booking.id)
        join(db, actor=OPERATOR, group=read_group(db, booking.id), bundle_purchase_id=None, **moved)
        leave(db, actor=OPERATOR, group=read_group(db, booking.id), reason="The invoice is unpaid.", **moved)
    parties.harness.run_all()
    given, taken = parties.of("seat_joined"), parties.of("seat_left")
    assert given["Grace", "in_app"].title == f"We gave Ada a seat in the group session “{booking.title}”"
    assert taken["Grace", "in_app"].title == f"We took the seat of Ada in the group session “{booking.title}” away"
    assert taken["Ada", "in_app"].title == f"We took your seat in the group session “{booking.title}” away"
    for reader in ("Grace", "Ada"):
        words = taken[reader, "in_app"]
        assert "left" not in words.title + words.body
        assert "The reason:\n\n> The invoice is unpaid." in words.body


def test_an_exhausted_bundle_is_named_by_its_course(parties: Parties) -> None:
    course_id = uuid4()
    with parties.harness.transactions() as db:
        db.execute(insert(courses).values(id=course_id, title="Logic"))
    parties.happen(
        BundleExhausted(
            actor="system",
            occurred_at=datetime.now(UTC),
            bundle_purchase_id=uuid4(),
            mentee_user_id=parties.ada.id,
            course_id=course_id,
            product_id=uuid4(),
            status="exhausted",
            total_sessions=5,
            remaining_sessions=0,
            valid_from=datetime.now(UTC),
            valid_to=None,
        )
    )
    found = parties.of("bundle_exhausted")
    assert set(found) == {("Ada", "in_app"), ("Ada", "email")}
    assert found["Ada", "email"].title == "Your bundle for Logic is used up"


def test_a_former_participant_is_not_notified_of_a_start(parties: Parties) -> None:
    session = parties.session()
    with parties.harness.transactions() as db:
        start_session(db, session)
        db.execute(booking_participants.delete().where(booking_participants.c.user_id == parties.ada.id))
    parties.harness.run_all()
    assert parties.of("session_started") == {}


def test_a_crowd_is_named_by_its_first_and_counted(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        booking = make_booking(db, listing=make_listing(db, parties.mentor), mentee=parties.ada)
        accept_booking(db, booking)
        for name in ("Lin", "Max", "Kim"):
            user = make_user(db, name=name)
            db.execute(insert(booking_participants).values(booking_id=booking.id, user_id=user.id))
    parties.harness.run_all()
    title = parties.of("session_created")["Grace", "email"].title
    assert title.startswith("Your session with ")
    assert title.endswith(" and 2 others is booked")


def test_a_notification_effect_makes_seven_statements_at_most(parties: Parties) -> None:
    session = parties.session()
    parties.harness.run_all()
    with parties.harness.transactions() as db:
        started = start_session(db, session)
        complete(db, actor=mentor_of(started), session=started, now=datetime.now(UTC) + timedelta(seconds=1))
    key = parties.harness.key("notifications.session_completed")
    with statements_of(parties.harness.engine) as made:
        parties.harness.deliverer.deliver(key)
    # The claim, a savepoint and its end, the people, their notifications, the mails, and the delivery's end.
    assert len(made.statements) <= 7, made.statements
    assert len([each for each in made.statements if "notification_preferences" in each]) == 1


def test_a_channel_switched_off_writes_and_sends_nothing(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        for kind, channel in (("session_created", Channel.EMAIL), ("session_cancelled", Channel.EMAIL)):
            switch_off(db, Choice(user_id=parties.ada.id, kind=kind, channel=channel))
        booking = make_booking(db, listing=make_listing(db, parties.mentor), mentee=parties.ada)
        accept_booking(db, booking)
    parties.harness.run_all()
    assert set(parties.of("session_created")) == {("Ada", "in_app"), ("Grace", "in_app"), ("Grace", "email")}
    assert {mail.to_name for mail in parties.harness.mail.received if "is booked" in mail.subject} == {"Grace"}
    # Operators see why Ada has no mail.
    to_ada = (deliveries.c.effect == SEND_MAIL.name, deliveries.c.target == str(parties.ada.id))
    with parties.harness.engine.connect() as db:
        (unsent,) = db.execute(select(deliveries).where(*to_ada)).all()
    reason = "The reader has switched off the kind session_created for email."
    assert (unsent.state, unsent.attempts, unsent.last_error) == ("cancelled", 0, reason)


def violations(parties: Parties) -> int:
    """How many people have not what they should have, a while after they last chose."""
    with parties.harness.engine.begin() as db, without_guards(db):
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        db.execute(update(notification_preferences).values(updated_at=long_ago))
        (finding,) = [each for each in check_all(db) if each.name == "notification_missing_or_doubled"]
    return finding.violations


def test_the_invariant_goes_by_what_people_chose(parties: Parties) -> None:
    off = Choice(user_id=parties.ada.id, kind="session_created", channel=Channel.EMAIL)
    with parties.harness.transactions() as db:
        switch_off(db, off)
        booking = make_booking(db, listing=make_listing(db, parties.mentor), mentee=parties.ada)
        accept_booking(db, booking)
    parties.harness.run_all()
    assert violations(parties) == 0
    with parties.harness.transactions() as db:
        before = lock_choices(db, parties.ada.id)
        replace_choices(db, user_id=parties.ada.id, before=before, wanted={})
    # As if they had wanted the mail all along.
    assert violations(parties) == 1


class Pair:
    """A mentor in Berlin, a mentee in New York, and the booking between them."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        with harness.transactions() as db:
            self.mentee: User = make_user(db, name="Ada", time_zone="America/New_York")
            self.mentor_user: User = make_user(db, name="Grace", time_zone="Europe/Berlin")
            self.mentor: Mentor = make_mentor(db, self.mentor_user)
            self.booking: Booking = make_booking(
                db, listing=make_listing(db, self.mentor), mentee=self.mentee, title="Compilers"
            )

    def decided(self, step: Any, actor: Any, **how: Any) -> None:
        with self.harness.transactions() as db:
            step(db, actor=actor, booking=self.booking, now=datetime.now(UTC), **how)
        self.harness.run_all()

    def notified(self, kind: str) -> dict[tuple[UUID, str], Any]:
        with self.harness.engine.connect() as db:
            rows = db.execute(select(notifications).where(notifications.c.kind == kind)).all()
        found = {(row.user_id, str(row.channel)): row for row in rows}
        assert len(found) == len(rows)
        return found

    def mails(self) -> list[tuple[str, str]]:
        return sorted((mail.to_address, mail.subject) for mail in self.harness.mail.received)


@pytest.fixture
def pair(harness: Harness) -> Pair:
    """Both of them, and a draft that its effects have not followed yet."""
    return Pair(harness)


def session_of(pair: Pair) -> Session:
    with pair.harness.engine.connect() as db:
        query = select(events.c.subject_id).where(events.c.type == "session.created")
        return Session.of(db.execute(session_query(db.scalars(query).one())).one())


def test_a_request_notifies_the_mentor_only(pair: Pair) -> None:
    pair.harness.run_all()
    found = pair.notified("booking_requested")
    assert set(found) == {(pair.mentor_user.id, "in_app"), (pair.mentor_user.id, "email")}
    row = found[pair.mentor_user.id, "in_app"]
    assert (row.title, row.booking_id, row.session_id) == ("Ada requested a session with you", pair.booking.id, None)
    assert "“Compilers”" in row.body
    assert "(Europe/Berlin)" in row.body
    assert pair.mails() == [(pair.mentor_user.email, "Ada requested a session with you")]


def test_a_decline_notifies_the_mentee_with_its_reason(pair: Pair) -> None:
    pair.decided(decline, mentor_of(pair.booking), reason="I am on holiday.")
    found = pair.notified("booking_declined")
    assert set(found) == {(pair.mentee.id, "in_app"), (pair.mentee.id, "email")}
    assert "I am on holiday." in found[pair.mentee.id, "email"].body
    assert "Grace writes:\n\n> I am on holiday.\n" in found[pair.mentee.id, "email"].body
    assert "(America/New_York)" in found[pair.mentee.id, "email"].body
    with pair.harness.engine.connect() as db:
        data = db.scalars(select(events.c.data).where(events.c.type == "booking.declined")).one()
    assert "holiday" not in str(data), "a private word is no part of the event"


def test_a_reason_of_white_space_is_none(pair: Pair) -> None:
    pair.decided(decline, mentor_of(pair.booking), reason=" \n\n ")
    body = pair.notified("booking_declined")[pair.mentee.id, "email"].body
    assert "writes" not in body


def test_a_cancellation_notifies_the_other_party_only(pair: Pair) -> None:
    pair.harness.run_all()
    pair.decided(cancel_booking, acting_user(pair.mentee), reason=None)
    assert {reader for reader, _channel in pair.notified("booking_cancelled")} == {pair.mentor_user.id}


def test_an_expiry_notifies_both_parties(pair: Pair) -> None:
    pair.harness.run_all()
    key = pair.harness.key("bookings.expire")
    pair.harness.make_due(key)
    pair.harness.run_all()
    found = pair.notified("booking_cancelled")
    assert {reader for reader, _channel in found} == {pair.mentee.id, pair.mentor_user.id}
    assert "has expired" in found[pair.mentee.id, "email"].body


def test_a_session_created_notifies_both_in_their_time_zones(pair: Pair) -> None:
    pair.decided(accept, mentor_of(pair.booking))
    session = session_of(pair)
    found = pair.notified("session_created")
    both = (pair.mentee, pair.mentor_user)
    assert set(found) == {(who.id, channel) for who in both for channel in ("in_app", "email")}
    assert {row.session_id for row in found.values()} == {session.id}
    assert "meet Grace on" in found[pair.mentee.id, "email"].body
    assert "(America/New_York)" in found[pair.mentee.id, "email"].body
    assert "meet Ada on" in found[pair.mentor_user.id, "email"].body
    assert "(Europe/Berlin)" in found[pair.mentor_user.id, "email"].body
    assert (pair.mentee.email, "Your session with Grace is booked") in pair.mails()


def test_a_completed_session_has_all_its_effects_once(pair: Pair) -> None:
    pair.decided(accept, mentor_of(pair.booking))
    now = datetime.now(UTC)
    with pair.harness.transactions() as db:
        session = start(db, actor=acting_user(pair.mentee), session=session_of(pair), early_start_minutes=None, now=now)
        complete(db, actor=mentor_of(session), session=session, now=now)
    pair.harness.run_all()
    with pair.harness.engine.connect() as db:
        permit = db.execute(select(review_permits)).one()
        metrics = db.execute(select(session_metrics)).one()
        open_rows = db.scalars(select(deliveries.c.effect).where(deliveries.c.state != "done")).all()
        followed = effects_of(db, session)
    assert (permit.session_id, permit.mentee_user_id) == (session.id, pair.mentee.id)
    assert (permit.unlocked_at, permit.expires_at) == (now, now + timedelta(days=30))
    assert (metrics.session_id, metrics.completed_at, metrics.booked_minutes) == (session.id, now, 60)
    assert metrics.start_delay_ms == (now - session.start_time) // timedelta(milliseconds=1)
    assert (metrics.length_ms, metrics.request_to_decision_ms is None) == (0, False)
    assert {reader for reader, _channel in pair.notified("session_completed")} == {pair.mentee.id, pair.mentor_user.id}
    timers = ["bookings.expire", "bookings.remind", "notifications.session_reminder", "notifications.session_reminder"]
    assert sorted(open_rows) == timers
    assert {(each.event_type, each.effect) for each in followed} >= {
        ("booking.accepted", "sessions.create"),
        ("session.created", "notifications.session_created"),
        ("session.started", "notifications.session_started"),
        ("session.completed", "reviews.unlock"),
        ("session.completed", "mail.send"),
    }
    # In the order in which it happened.
    assert list(dict.fromkeys(each.event_type for each in followed)) == [
        "booking.requested",
        "booking.accepted",
        "session.created",
        "session.reminder_set",
        "session.started",
        "session.completed",
        "review.unlocked",
    ]
