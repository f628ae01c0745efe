"""Reproductions about moving, with effects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text

from models.events import deliveries
from models.notifications import Channel, notifications
from models.terms import RescheduleMode
from tests import factories
from tests.integration.harness import Harness
from tests.integration.test_moving import BERLIN, NEW_YORK, Pair, agreeing, local_time, pair  # noqa: F401
from workflows.sessions.actions import create
from workflows.sessions.moving import accept_proposal, reschedule
from workflows.sessions.proposals import Proposal
from workflows.sessions.records import SESSION_WITH_TERMS, SessionWithTerms


def test_a_session_that_moves_back_is_reminded_of_once(pair: Pair) -> None:  # noqa: F811
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
    helper = Pair.__new__(Pair)
    helper.harness, helper.booking_id, helper.mentee, helper.start = harness, booking.id, mentee, booking.start_time
    to = booking.start_time + timedelta(days=1)
    helper.move(to)
    harness.run_all()
    texts = [(mail.to_name, mail.subject, mail.text) for mail in harness.mail.received]
    old = [
        each
        for each in texts
        if "another time" not in each[1]
        and (local_time(booking.start_time, NEW_YORK) in each[2] or local_time(booking.start_time, BERLIN) in each[2])
    ]
    assert [each[1] for each in old if "is booked" in each[1]] == []
    assert sum("another time" in each[1] for each in texts) == 2


def test_the_reason_of_a_move_is_its_own(agreeing: Pair) -> None:  # noqa: F811
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


def test_the_seat_mail_and_awaited_seats(harness: Harness) -> None:
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
