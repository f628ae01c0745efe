"""Tests of what follows from each event: rows for people, permits, counts, mails, each exactly once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select

from models.analytics import session_metrics
from models.events import deliveries, events
from models.notifications import notifications
from models.reviews import review_permits
from tests.factories import (
    acting_user,
    make_booking,
    make_listing,
    make_mentor,
    make_session,
    make_user,
    mentor_of,
)
from tests.integration.harness import Harness
from workflows.bookings.booking import Booking
from workflows.bookings.decisions import accept, cancel, decline
from workflows.events.catalogue import SessionCompleted
from workflows.identity.actor import SYSTEM
from workflows.identity.people import Mentor, User
from workflows.notifications.texts import as_html
from workflows.reviews.permits import unlock_all
from workflows.sessions.session import Session, effects_of, session_query
from workflows.sessions.steps import complete, start


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
        """Take a decision, and let everything follow."""
        with self.harness.transactions() as db:
            step(db, actor=actor, booking=self.booking, now=datetime.now(UTC), **how)
        self.harness.run_all()

    def told(self, kind: str) -> dict[tuple[UUID, str], Any]:
        """The notifications of a kind by reader and channel."""
        with self.harness.engine.connect() as db:
            rows = db.execute(select(notifications).where(notifications.c.kind == kind)).all()
        found = {(row.user_id, str(row.channel)): row for row in rows}
        assert len(found) == len(rows)
        return found

    def mails(self) -> list[tuple[str, str]]:
        """Who was sent which subject."""
        return sorted((mail.to_address, mail.subject) for mail in self.harness.mail.received)


@pytest.fixture
def pair(harness: Harness) -> Pair:
    """Both of them, and a draft that its effects have not followed yet."""
    return Pair(harness)


def session_of(pair: Pair) -> Session:
    """The session that the booking became."""
    with pair.harness.engine.connect() as db:
        query = select(events.c.subject_id).where(events.c.type == "session.created")
        return Session.of(db.execute(session_query(db.scalars(query).one())).one())


def test_a_request_tells_the_mentor_alone_in_the_application_and_by_mail(pair: Pair) -> None:
    pair.harness.run_all()
    told = pair.told("booking_requested")
    assert set(told) == {(pair.mentor_user.id, "in_app"), (pair.mentor_user.id, "email")}
    row = told[pair.mentor_user.id, "in_app"]
    assert (row.title, row.booking_id, row.session_id) == ("Ada requested a session with you", pair.booking.id, None)
    assert "“Compilers”" in row.body
    assert "(Europe/Berlin)" in row.body
    assert pair.mails() == [(pair.mentor_user.email, "Ada requested a session with you")]


def test_a_decline_tells_the_mentee_and_why(pair: Pair) -> None:
    pair.decided(decline, mentor_of(pair.booking), reason="I am on holiday.")
    told = pair.told("booking_declined")
    assert set(told) == {(pair.mentee.id, "in_app"), (pair.mentee.id, "email")}
    assert "I am on holiday." in told[pair.mentee.id, "email"].body
    assert "Grace writes:\n\n> I am on holiday.\n" in told[pair.mentee.id, "email"].body
    assert "(America/New_York)" in told[pair.mentee.id, "email"].body
    with pair.harness.engine.connect() as db:
        data = db.scalars(select(events.c.data).where(events.c.type == "booking.declined")).one()
    assert "holiday" not in str(data), "a private word is no part of the event"


def test_a_reason_of_white_space_is_none(pair: Pair) -> None:
    pair.decided(decline, mentor_of(pair.booking), reason=" \n\n ")
    body = pair.told("booking_declined")[pair.mentee.id, "email"].body
    assert "writes" not in body


def test_a_cancellation_tells_the_mentor_and_not_who_cancelled(pair: Pair) -> None:
    pair.decided(cancel, acting_user(pair.mentee), reason=None)
    assert {reader for reader, _channel in pair.told("booking_cancelled")} == {pair.mentor_user.id}


def test_an_expiry_tells_both(pair: Pair) -> None:
    key = pair.harness.key("bookings.expire")
    pair.harness.make_due(key)
    pair.harness.run_all()
    told = pair.told("booking_cancelled")
    assert {reader for reader, _channel in told} == {pair.mentee.id, pair.mentor_user.id}
    assert "has expired" in told[pair.mentee.id, "email"].body


def test_an_acceptance_becomes_a_session_and_both_are_told_on_their_own_clocks(pair: Pair) -> None:
    pair.decided(accept, mentor_of(pair.booking))
    session = session_of(pair)
    told = pair.told("session_created")
    both = (pair.mentee, pair.mentor_user)
    assert set(told) == {(who.id, channel) for who in both for channel in ("in_app", "email")}
    assert {row.session_id for row in told.values()} == {session.id}
    assert "meet Grace on" in told[pair.mentee.id, "email"].body
    assert "(America/New_York)" in told[pair.mentee.id, "email"].body
    assert "meet Ada on" in told[pair.mentor_user.id, "email"].body
    assert "(Europe/Berlin)" in told[pair.mentor_user.id, "email"].body
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
    assert {reader for reader, _channel in pair.told("session_completed")} == {pair.mentee.id, pair.mentor_user.id}
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


def test_a_mail_is_the_notification_in_both_forms(pair: Pair) -> None:
    pair.harness.run_all()
    (mail,) = pair.harness.mail.received
    assert mail.to_name == "Grace"
    assert mail.text.startswith("Ada would like to meet you about “Compilers”")
    assert "<h1" in as_html(mail.words)
    assert mail.delivery_id == pair.harness.row(pair.harness.key("mail.send")).id


def test_a_review_is_unlocked_once_per_mentee_however_often_it_runs(db: Connection) -> None:
    session = make_session(db)
    at = datetime(2030, 5, 4, tzinfo=UTC)
    for later in range(3):
        completed = SessionCompleted.about(replace(session, mentee_user_id=None), actor=SYSTEM, now=at)
        unlock_all(db, [(completed, at + timedelta(days=later))])
    permit = db.execute(select(review_permits)).one()
    assert (permit.unlocked_at, permit.expires_at) == (at, at + timedelta(days=30))
