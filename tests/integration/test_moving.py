"""Tests of what follows from a move: mails, invitations, reminders, and the timer of a proposal."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, text

from models.events import deliveries, events
from models.notifications import Channel, notifications
from models.payments import PaymentMode
from models.sessions import reschedule_proposals, session_id_of
from models.terms import RescheduleMode
from tests import factories
from tests.integration.harness import Harness
from tests.integration.test_invitations import event_of, sent
from tests.integration.test_no_longer_a_party import subscribed
from workflows.accounts.records import User
from workflows.action_links.link import Action
from workflows.bookings.records import Booking
from workflows.events.event_types import BookingAccepted
from workflows.events.subscriptions import Effect, load
from workflows.groups.place import read_group
from workflows.groups.seats import join
from workflows.kernel.language import language_of
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.payments.records import PAYMENT, Payment
from workflows.sessions.actions import create
from workflows.sessions.moving import accept_proposal, decline_proposal, reschedule
from workflows.sessions.proposals import Proposal
from workflows.sessions.records import (
    SESSION_WITH_PROPOSAL,
    SESSION_WITH_TERMS,
    Session,
    SessionWithProposal,
    SessionWithTerms,
)

local_time = language_of("en").local_time
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


class Pair:
    """A mentor in Berlin, a mentee in New York, and their session, of which both have been told."""

    def __init__(self, harness: Harness, mode: RescheduleMode) -> None:
        self.harness = harness
        with harness.transactions() as db:
            self.mentee: User = factories.make_user(db, time_zone=NEW_YORK)
            mentor_user = factories.make_user(db, name="Grace Hopper", time_zone=BERLIN)
            self.mentor = factories.make_mentor(db, mentor_user)
            listing = factories.make_listing(db, self.mentor, reschedule_mode=mode)
            day = factories.next_slot() + timedelta(days=10)
            self.start = datetime.combine(day.date(), time(15), UTC)
            booking = factories.make_booking(db, listing=listing, mentee=self.mentee, start_time=self.start)
            factories.accept_booking(db, booking)
        self.booking_id = booking.id
        harness.run_all()
        self.told_before = len(harness.mail.received)

    def session(self) -> SessionWithTerms:
        with self.harness.engine.connect() as db:
            row = db.execute(text("SELECT id FROM sessions WHERE booking_id = :id"), {"id": self.booking_id}).one()
            return SessionWithTerms.of(db.execute(SESSION_WITH_TERMS, {"id": row.id}).one())

    def move(self, to: datetime, reason: str | None = None) -> Session | Proposal:
        with self.harness.transactions() as db:
            actor = factories.acting_user(self.mentee)
            return reschedule(
                db, actor=actor, session=self.session(), start_time=to, reason=reason, now=datetime.now(UTC)
            )

    def asked(self, proposal: Proposal) -> SessionWithProposal:
        ids = {"session_id": proposal.session_id, "proposal_id": proposal.id}
        with self.harness.engine.connect() as db:
            return SessionWithProposal.of(db.execute(SESSION_WITH_PROPOSAL, ids).one())

    def mails(self) -> dict[str, Any]:
        """The mails since the session was booked, by the name of their reader."""
        self.harness.run_all()
        return {mail.to_name: mail for mail in self.harness.mail.received[self.told_before :]}


@pytest.fixture
def pair(harness: Harness) -> Pair:
    return Pair(harness, RescheduleMode.FREE)


@pytest.fixture
def agreeing(harness: Harness) -> Pair:
    return Pair(harness, RescheduleMode.BY_AGREEMENT)


def test_both_are_told_the_times_in_their_zones(pair: Pair) -> None:
    to = pair.start + timedelta(days=1)
    pair.move(to, "A train is late.\nSorry.")
    mails = pair.mails()
    assert set(mails) == {"Ada Lovelace", "Grace Hopper"}
    for name, zone, other in (("Ada Lovelace", NEW_YORK, "Grace Hopper"), ("Grace Hopper", BERLIN, "Ada Lovelace")):
        mail = mails[name]
        assert mail.subject == f"Your session with {other} has another time"
        assert mail.text.startswith(f"You meet {other} on {local_time(to, zone)}.")
        assert f"was to be on {local_time(pair.start, zone)}" in mail.text
        assert "> A train is late.\n> Sorry." in mail.text
        assert "Cancel session" in mail.actions.links


def test_the_invitation_has_the_next_sequence(pair: Pair) -> None:
    for number in (1, 2):
        to = pair.start + timedelta(days=number)
        pair.move(to)
        mail = pair.mails()["Ada Lovelace"]
        event: Any = event_of(mail)
        assert (event["UID"], int(event["SEQUENCE"])) == (str(pair.booking_id), number)
        assert (event["DTSTART"].dt, event["STATUS"]) == (to, "CONFIRMED")
        (part,) = [each for each in sent(mail).walk() if each.get_content_type() == "text/calendar"]
        assert part.get_param("method") == "REQUEST"


def test_reminders_follow_the_new_time(pair: Pair) -> None:
    to = pair.start + timedelta(days=1)
    pair.move(to)
    pair.harness.run_all()
    set_at = select(events.c.data).where(events.c.type == "session.reminder_set").order_by(events.c.sequence)
    with pair.harness.engine.begin() as db:
        reminders = [each["start_time"] for each in db.scalars(set_at)]
        assert reminders == [pair.start.isoformat()] * 2 + [to.isoformat()] * 2
        due = deliveries.c.effect == "notifications.session_reminder"
        db.execute(deliveries.update().where(due).values(due_at=text("now()"), nudge_at=text("now()")))
    pair.harness.run_all()
    with pair.harness.engine.begin() as db:
        written = notifications.c.kind == "session_reminder"
        told = db.execute(select(notifications).where(written, notifications.c.channel == Channel.IN_APP)).all()
        outdated = select(deliveries.c.last_error).where(deliveries.c.state == "cancelled")
        reasons = set(db.scalars(outdated))
    # The two reminders of the new time, to both parties.
    assert len(told) == 4
    assert "The session has moved since." in reasons


def test_only_the_last_of_two_moves_is_told(pair: Pair) -> None:
    pair.move(pair.start + timedelta(days=1))
    to = pair.start + timedelta(days=2)
    pair.move(to)
    pair.harness.run_all()
    mails = pair.harness.mail.received[pair.told_before :]
    assert len(mails) == 2
    assert all(local_time(to, BERLIN)[:12] in mail.text or local_time(to, NEW_YORK)[:12] in mail.text for mail in mails)


def test_the_other_party_can_answer_out_of_the_mail(agreeing: Pair) -> None:
    to = agreeing.start + timedelta(days=1)
    proposal = agreeing.move(to, "A train is late.")
    assert isinstance(proposal, Proposal)
    mails = agreeing.mails()
    assert set(mails) == {"Grace Hopper"}
    mail = mails["Grace Hopper"]
    assert mail.subject == "Ada Lovelace proposes another time for your session"
    for moment in (to, agreeing.start, proposal.expires_at):
        assert local_time(moment, BERLIN) in mail.text
    assert "> A train is late." in mail.text
    links = mail.actions.links
    assert {words: link.action for words, link in links.items()} == {
        "Accept new time": Action.ACCEPT_TIME,
        "Decline new time": Action.DECLINE_TIME,
    }
    assert {link.subject_id for link in links.values()} == {proposal.id}
    with agreeing.harness.transactions() as db:
        found = agreeing.asked(proposal)
        actor = factories.acting_mentor(agreeing.mentor)
        accept_proposal(db, actor=actor, session=found, proposal=found.asked, now=datetime.now(UTC))
    assert set(agreeing.mails()) == {"Ada Lovelace", "Grace Hopper"}
    assert agreeing.session().start_time == to


def test_who_proposed_is_told_of_a_decline(agreeing: Pair) -> None:
    proposal = agreeing.move(agreeing.start + timedelta(days=1))
    assert isinstance(proposal, Proposal)
    agreeing.harness.run_all()
    found, now = agreeing.asked(proposal), datetime.now(UTC)
    with agreeing.harness.transactions() as db:
        actor = factories.acting_mentor(agreeing.mentor)
        decline_proposal(db, actor=actor, session=found, proposal=found.asked, now=now)
    mail = agreeing.mails()["Ada Lovelace"]
    assert mail.subject == "Your session with Grace Hopper keeps its time"
    assert local_time(agreeing.start, NEW_YORK) in mail.text
    assert "declined the time that you proposed" in mail.text


def test_a_proposal_expires_by_its_timer(agreeing: Pair) -> None:
    proposal = agreeing.move(agreeing.start + timedelta(days=1))
    assert isinstance(proposal, Proposal)
    agreeing.harness.run_all()
    timer = agreeing.harness.key("sessions.expire_proposal")
    due = agreeing.harness.row(timer).due_at
    assert abs(due - proposal.expires_at) < timedelta(seconds=1)
    assert abs(due - datetime.now(UTC) - timedelta(hours=72)) < timedelta(minutes=1)
    agreeing.harness.make_due(timer)
    agreeing.harness.deliver("sessions.expire_proposal")
    with agreeing.harness.engine.begin() as db:
        assert db.scalar(select(reschedule_proposals.c.status)) == "expired"
    assert "did not answer your proposal" in agreeing.mails()["Ada Lovelace"].text
    assert agreeing.session().start_time == agreeing.start


def test_a_message_of_a_proposal_that_has_ended_is_not_sent(agreeing: Pair) -> None:
    agreeing.move(agreeing.start + timedelta(days=1))
    agreeing.move(agreeing.start + timedelta(days=2))
    agreeing.harness.run_all()
    mails = agreeing.harness.mail.received[agreeing.told_before :]
    assert [mail.to_name for mail in mails] == ["Grace Hopper"]
    day = (agreeing.start + timedelta(days=2)).astimezone(ZoneInfo(BERLIN))
    assert f"{day:%A}" in mails[0].text


def test_the_waiting_list_of_a_group_ends_at_its_new_start(harness: Harness) -> None:
    with harness.transactions() as db:
        people = [factories.make_user(db) for _ in range(2)]
        group = factories.make_group(db, people[:1], capacity=1)
        db.execute(
            text("INSERT INTO waitlist_entries (id, booking_id, user_id) VALUES (gen_random_uuid(), :group, :person)"),
            {"group": group.id, "person": people[1].id},
        )
        session = create(db, booking_id=group.id)
        accepted = BookingAccepted.about(group, actor=factories.OPERATOR, now=datetime.now(UTC))
        with_terms = SessionWithTerms.of(db.execute(SESSION_WITH_TERMS, {"id": session.id}).one())
        to = group.start_time + timedelta(days=1)
        reschedule(db, actor=factories.OPERATOR, session=with_terms, start_time=to, now=datetime.now(UTC))
        # The timer of the former start.
        closing = load().named("waitlist.close")
        assert isinstance(closing, Effect)
        closing.run(db, accepted, "", now=group.start_time)
        assert db.scalar(text("SELECT count(*) FROM waitlist_entries")) == 1
    timer = harness.key("waitlist.close_moved")
    assert harness.row(timer).due_at > to
    harness.make_due(timer)
    harness.deliver("waitlist.close_moved")
    with harness.engine.begin() as db:
        assert db.scalar(text("SELECT count(*) FROM waitlist_entries")) == 0


def test_a_session_that_moves_back_is_reminded_of_once(pair: Pair) -> None:
    pair.move(pair.start + timedelta(days=1))
    pair.move(pair.start)
    pair.harness.run_all()
    with pair.harness.engine.begin() as db:
        due = deliveries.c.effect == "notifications.session_reminder"
        db.execute(deliveries.update().where(due).values(due_at=text("now()"), nudge_at=text("now()")))
    pair.harness.run_all()
    with pair.harness.engine.begin() as db:
        written = notifications.c.kind == "session_reminder"
        told = db.execute(
            select(func.count()).select_from(notifications).where(written, notifications.c.channel == Channel.IN_APP)
        ).scalar_one()
    assert told == 4


def test_the_mail_of_the_booking_that_still_waits_has_no_old_time(harness: Harness) -> None:
    with harness.transactions() as db:
        mentee = factories.make_user(db, time_zone=NEW_YORK)
        mentor = factories.make_mentor(db, factories.make_user(db, name="Grace Hopper", time_zone=BERLIN))
        listing = factories.make_listing(db, mentor, reschedule_mode=RescheduleMode.FREE)
        booking = factories.make_booking(
            db, listing=listing, mentee=mentee, start_time=factories.next_slot() + timedelta(days=10)
        )
        factories.accept_booking(db, booking)
    # The session is made and its notifications are written, but no mail has left.
    harness.run_all("sessions")
    harness.deliverer.deliver(harness.key("notifications.session_created"))
    with harness.transactions() as db:
        session = SessionWithTerms.of(db.execute(SESSION_WITH_TERMS, {"id": session_id_of(booking.id)}).one())
        to, actor = booking.start_time + timedelta(days=1), factories.acting_user(mentee)
        reschedule(db, actor=actor, session=session, start_time=to, now=datetime.now(UTC))
    harness.run_all()
    subjects = [mail.subject for mail in harness.mail.received]
    assert [subject for subject in subjects if "is booked" in subject] == []
    assert sum("another time" in subject for subject in subjects) == 2


def test_the_reason_of_a_move_is_its_own(agreeing: Pair) -> None:
    first = agreeing.start + timedelta(days=1)
    proposal = agreeing.move(first, "Reason of the move.")
    assert isinstance(proposal, Proposal)
    with agreeing.harness.transactions() as db:
        found = agreeing.asked(proposal)
        accept_proposal(
            db,
            actor=factories.acting_mentor(agreeing.mentor),
            session=found,
            proposal=found.asked,
            now=datetime.now(UTC),
        )
    agreeing.move(agreeing.start + timedelta(days=2), "Reason of the next proposal.")
    agreeing.harness.run_all()
    moved = [
        mail.text
        for mail in agreeing.harness.mail.received[agreeing.told_before :]
        if "another time" in mail.subject and "proposes" not in mail.subject
    ]
    assert moved
    assert all("next proposal" not in each for each in moved), moved


def test_the_mail_of_a_moved_group_names_the_later_end_of_free_leaving(harness: Harness) -> None:
    with harness.transactions() as db:
        people = [factories.make_user(db) for _ in range(2)]
        listing = factories.make_listing(db, cancellation_window_hours=24)
        group = factories.make_group(
            db, people, listing=listing, start_time=factories.this_hour() + timedelta(days=300)
        )
        session = create(db, booking_id=group.id)
        with_terms = SessionWithTerms.of(db.execute(SESSION_WITH_TERMS, {"id": session.id}).one())
        to = group.start_time + timedelta(days=1)
        reschedule(db, actor=factories.OPERATOR, session=with_terms, start_time=to, now=datetime.now(UTC))
    harness.run_all()
    seats = [m.text for m in harness.mail.received if "without a fee" in m.text]
    assert len(seats) == 2
    assert all("without a fee until " + local_time(to - timedelta(hours=24), "UTC") in each for each in seats)


def awaited_seat(harness: Harness, *, days: int = 3, told: bool = True) -> tuple[Booking, Payment]:
    """A group whose session is made, and the awaited payment of a seat in it, of which its person has been told."""
    with harness.transactions() as db:
        listing = factories.make_listing(db, payment_mode=PaymentMode.BEFORE)
        start = factories.this_hour() + timedelta(days=days)
        group = factories.make_group(db, [], listing=listing, start_time=start, capacity=3)
        create(db, booking_id=group.id)
        person = factories.make_user(db, name="Waiting Person")
        kept = join(
            db,
            actor=factories.acting_user(person),
            group=read_group(db, group.id),
            mentee_user_id=person.id,
            bundle_purchase_id=None,
            now=datetime.now(UTC),
            policy=DEFAULT_POLICY,
        )
    if told:
        harness.run_all()
    assert kept.payment is not None
    return group, kept.payment


def move_session(harness: Harness, group: Booking, to: datetime) -> None:
    """Move a session, as an operator."""
    with harness.transactions() as db:
        row = db.execute(SESSION_WITH_TERMS, {"id": session_id_of(group.id)}).one()
        session, now = SessionWithTerms.of(row), datetime.now(UTC)
        reschedule(db, actor=factories.OPERATOR, session=session, start_time=to, now=now)


def present_payment(harness: Harness, payment: Payment) -> Payment:
    with harness.engine.begin() as db:
        return Payment.of(db.execute(PAYMENT, {"id": payment.id}).one())


def test_a_person_whose_seat_awaits_its_payment_is_told_of_a_move(harness: Harness) -> None:
    group, payment = awaited_seat(harness)
    before, to = len(harness.mail.received), group.start_time + timedelta(days=1)
    move_session(harness, group, to)
    harness.run_all()
    (mail,) = [mail for mail in harness.mail.received[before:] if mail.to_name == "Waiting Person"]
    assert mail.subject.startswith("Pay ")
    assert f"begins on {local_time(to, 'UTC')}" in mail.text
    assert f"was to be on {local_time(group.start_time, 'UTC')}" in mail.text
    assert mail.invitation is None
    assert present_payment(harness, payment).due_at == payment.due_at


def test_an_awaited_seat_is_due_by_the_earlier_start_and_lapses_then(harness: Harness) -> None:
    group, payment = awaited_seat(harness)
    to = datetime.now(UTC) + timedelta(minutes=5)
    assert to < payment.due_at
    move_session(harness, group, to)
    assert present_payment(harness, payment).due_at == to
    with harness.engine.begin() as db:
        timers = list(db.scalars(select(deliveries.c.due_at).where(deliveries.c.effect == "payments.lapse")))
        assert sorted(timers) == [to, payment.due_at]
        event_id = db.scalar(
            select(events.c.id).where(events.c.type == "payment.awaiting").order_by(events.c.sequence.desc()).limit(1)
        )
    timer = harness.key("payments.lapse", event_id)
    harness.make_due(timer)
    harness.deliver("payments.lapse", event_id)
    assert present_payment(harness, payment).status == "lapsed"
    # A later start gives no time back.
    group, payment = awaited_seat(harness, days=4)
    for moved_to in (to + timedelta(hours=3), to + timedelta(days=2)):
        move_session(harness, group, moved_to)
    assert present_payment(harness, payment).due_at == payment.due_at


def in_app(harness: Harness, kind: str) -> list[str]:
    with harness.engine.begin() as db:
        seen = (notifications.c.kind == kind, notifications.c.channel == Channel.IN_APP)
        return list(db.scalars(select(notifications.c.body).where(*seen)))


def test_a_notification_that_is_written_after_a_move_has_the_present_time(harness: Harness) -> None:
    with harness.transactions() as db:
        listing = factories.make_listing(db, reschedule_mode=RescheduleMode.FREE)
        booking = factories.make_booking(db, listing=listing, start_time=factories.next_slot() + timedelta(days=10))
        factories.accept_booking(db, booking)
    harness.run_all("sessions")
    to = booking.start_time + timedelta(days=1)
    move_session(harness, booking, to)
    harness.run_all()
    told = in_app(harness, "session_created")
    assert len(told) == 2
    assert all(f"on {local_time(to, 'UTC')}" in each for each in told)


def test_a_push_of_the_booking_that_still_waits_is_not_sent_after_a_move(harness: Harness) -> None:
    with harness.transactions() as db:
        mentee = factories.make_user(db)
        listing = factories.make_listing(db, reschedule_mode=RescheduleMode.FREE)
        start = factories.next_slot() + timedelta(days=10)
        booking = factories.make_booking(db, listing=listing, mentee=mentee, start_time=start)
        factories.accept_booking(db, booking)
    subscribed(harness, "ada", mentee)
    harness.run_all("sessions")
    harness.deliverer.deliver(harness.key("notifications.session_created"))
    move_session(harness, booking, start + timedelta(days=1))
    harness.run_all()
    pushes = {message.kind: message for message in harness.push.received}
    assert set(pushes) == {"booking_accepted", "session_rescheduled"}
    push = pushes["session_rescheduled"]
    assert local_time(start + timedelta(days=1), "UTC") in push.words.body


def test_a_mail_of_a_seat_that_still_waits_tells_the_present_time(harness: Harness) -> None:
    with harness.transactions() as db:
        mentor = factories.make_mentor(db, factories.make_user(db, name="Grace Hopper"))
        listing = factories.make_listing(db, mentor)
        group = factories.make_group(db, [], listing=listing, start_time=factories.this_hour() + timedelta(days=3))
        create(db, booking_id=group.id)
        person = factories.make_user(db, name="Ada Lovelace")
        join(
            db,
            actor=factories.acting_user(person),
            group=read_group(db, group.id),
            mentee_user_id=person.id,
            bundle_purchase_id=None,
            now=datetime.now(UTC),
            policy=DEFAULT_POLICY,
        )
    harness.deliverer.deliver(harness.key("notifications.seat_joined"))
    to = group.start_time + timedelta(days=1)
    move_session(harness, group, to)
    harness.run_all()
    joined = [mail for mail in harness.mail.received if "another time" not in mail.subject]
    assert {mail.to_name for mail in joined} == {"Grace Hopper", "Ada Lovelace"}
    for mail in joined:
        assert local_time(to, "UTC") in mail.text
        assert local_time(group.start_time, "UTC") not in mail.text
    mentors = next(mail.text for mail in joined if mail.to_name == "Grace Hopper")
    assert mentors.startswith("Ada Lovelace joined your group session")


def test_a_mail_that_asks_for_a_payment_leaves_once_with_the_present_time(harness: Harness) -> None:
    group, _payment = awaited_seat(harness, told=False)
    harness.deliverer.deliver(harness.key("notifications.payment_due"))
    to = group.start_time + timedelta(days=1)
    move_session(harness, group, to)
    harness.run_all()
    (mail,) = [mail for mail in harness.mail.received if mail.to_name == "Waiting Person"]
    assert f"begins on {local_time(to, 'UTC')}" in mail.text
