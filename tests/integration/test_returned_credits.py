"""Tests of credits that return: with a request that comes to nothing, and with a session cancelled by its policy."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from models.bundles import bundle_entries
from models.events import events
from models.sessions import AbsentParty, session_id_of
from tests import factories
from tests.integration.harness import Harness
from workflows.bookings.actions import cancel as withdraw
from workflows.bookings.actions import decline, expire
from workflows.bookings.records import Booking
from workflows.bundles.records import Bundle, bundle_query
from workflows.events.record import flush_deferred
from workflows.identity.actor import Actor
from workflows.kernel.clock import rfc3339
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel
from workflows.sessions.outcomes import report_no_show, void, waive_fee
from workflows.sessions.records import Session, SessionWithTerms, session_with_terms_query

NOW = datetime.now(UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


def left_in(db: Connection, bundle: Bundle) -> int:
    return Bundle.of(db.execute(bundle_query(bundle.id)).one()).remaining_sessions


def last_entry(db: Connection, bundle: Bundle) -> Any:
    found = select(bundle_entries).where(bundle_entries.c.bundle_purchase_id == bundle.id)
    return db.execute(found.order_by(bundle_entries.c.sequence.desc()).limit(1)).one()


def terms_of(db: Connection, booking: Booking) -> SessionWithTerms:
    create(db, booking_id=booking.id)
    return present_terms(db, booking)


def present_terms(db: Connection, booking: Booking) -> SessionWithTerms:
    return SessionWithTerms.of(db.execute(session_with_terms_query(session_id_of(booking.id))).one())


def cancelled_by(db: Connection, actor: Actor, booking: Booking, *, at: datetime) -> Session:
    return cancel(db, actor=actor, session=terms_of(db, booking), reason="Ill", now=at)


def test_a_declined_requests_credit_returns(db: Connection) -> None:
    bundle = factories.make_bundle(db)
    draft = factories.make_paid_booking(db, bundle, accepted=False)
    assert left_in(db, bundle) == 4
    decline(db, actor=factories.mentor_of(draft), booking=draft, reason="On holiday", now=NOW)
    assert left_in(db, bundle) == 5
    entry = last_entry(db, bundle)
    assert (entry.kind, entry.booking_id, entry.reason) == ("give_back", draft.id, "The request was declined.")
    assert entry.actor == f"mentor:{draft.mentor_profile_id}"


def test_a_withdrawn_requests_credit_returns(db: Connection) -> None:
    bundle = factories.make_bundle(db)
    draft = factories.make_paid_booking(db, bundle, accepted=False)
    withdraw(db, actor=Actor.person(bundle.mentee_user_id, None), booking=draft, reason=None, now=NOW)
    assert (left_in(db, bundle), last_entry(db, bundle).reason) == (5, "The request was withdrawn.")


def test_expired_requests_credits_return_together(harness: Harness) -> None:
    with harness.transactions() as db:
        bundles = [factories.make_bundle(db) for _ in range(2)]
        drafts = [factories.make_paid_booking(db, bundle, accepted=False) for bundle in (*bundles, *bundles)]
        requested = select(events.c.id).where(events.c.subject_id.in_([draft.id for draft in drafts]))
        of_requests = db.scalars(requested).all()
    keys = [harness.key("bookings.expire", event_id) for event_id in of_requests]
    for key in keys:
        harness.make_due(key)
    harness.run_all("sessions")
    with harness.engine.connect() as db:
        assert [left_in(db, bundle) for bundle in bundles] == [5, 5]
        assert last_entry(db, bundles[0]).reason == "The request expired."


@pytest.mark.parametrize(
    ("who", "before", "percent", "returned"),
    [
        ("mentee", DAY + TICK, 50, True),
        ("mentee", DAY, 50, True),
        ("mentee", DAY - TICK, 50, False),
        ("mentee", DAY - TICK, 0, True),
        ("mentor", TICK, 100, True),
        ("operator", TICK, 100, True),
    ],
)
def test_a_cancelled_sessions_credit_returns_by_policy(
    db: Connection, who: str, before: timedelta, percent: int, returned: bool
) -> None:
    bundle = factories.make_bundle(db)
    listing = factories.make_listing(db, course_id=bundle.course_id, late_fee_percent=percent)
    booking = factories.make_paid_booking(db, bundle, listing=listing)
    actor = {
        "mentee": Actor.person(bundle.mentee_user_id, None),
        "mentor": factories.mentor_of(booking),
        "operator": factories.OPERATOR,
    }[who]
    session = cancelled_by(db, actor, booking, at=booking.start_time - before)
    assert left_in(db, bundle) == (5 if returned else 4)
    assert session.cancellation is not None
    assert session.cancellation["creditReturned"] is returned
    event = db.execute(select(events).where(events.c.type == "session.cancelled", events.c.subject_id == session.id))
    assert event.one().data["credit_returned"] is returned


def test_a_waived_fee_gives_a_kept_credit_back_once(db: Connection) -> None:
    bundle = factories.make_bundle(db)
    booking = factories.make_paid_booking(db, bundle)
    mentee = Actor.person(bundle.mentee_user_id, None)
    session = cancelled_by(db, mentee, booking, at=booking.start_time - TICK)
    assert left_in(db, bundle) == 4
    for _ in range(2):
        kept = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        waived = waive_fee(db, actor=factories.OPERATOR, session=kept, reason="In hospital", now=NOW)
        assert waived.cancellation is not None
        assert (waived.cancellation["creditReturned"], waived.cancellation["waivedAt"] is not None) == (True, True)
        assert (left_in(db, bundle), last_entry(db, bundle).reason) == (5, "In hospital")
    event = db.execute(select(events).where(events.c.type == "session.fee_waived", events.c.subject_id == session.id))
    assert event.one().data["credit_returned"] is True


@pytest.mark.parametrize(
    ("how", "percent", "returned"),
    [("void", 50, True), ("mentor", 50, True), ("mentee", 50, False), ("mentee", 0, True)],
)
def test_a_credit_is_kept_of_who_did_not_come_under_a_fee(
    db: Connection, how: str, percent: int, returned: bool
) -> None:
    bundle = factories.make_bundle(db)
    listing = factories.make_listing(db, course_id=bundle.course_id, no_show_fee_percent=percent)
    booking = factories.make_paid_booking(db, bundle, listing=listing)
    session_id = create(db, booking_id=booking.id).id
    session = SessionWithTerms.of(db.execute(session_with_terms_query(session_id)).one())
    if how == "void":
        void(db, actor=factories.OPERATOR, session=session, reason="Ill", now=NOW)
    else:
        late = booking.start_time + timedelta(minutes=15)
        report_no_show(db, actor=factories.OPERATOR, session=session, who=AbsentParty(how), now=late)
    assert left_in(db, bundle) == (5 if returned else 4)


def test_a_session_paid_with_money_returns_no_credit(db: Connection) -> None:
    booking = factories.accept_booking(db, factories.make_booking(db))
    session = cancelled_by(db, factories.mentor_of(booking), booking, at=NOW)
    assert session.cancellation is not None
    assert session.cancellation["creditReturned"] is None


def test_a_request_to_be_paid_with_money_returns_no_credit(db: Connection) -> None:
    declined, withdrawn = (factories.make_booking(db) for _ in range(2))
    assert withdrawn.mentee_user_id is not None
    decline(db, actor=factories.mentor_of(declined), booking=declined, reason="Away", now=NOW)
    withdraw(db, actor=Actor.person(withdrawn.mentee_user_id, None), booking=withdrawn, reason=None, now=NOW)
    of_requests = events.c.type.in_(["booking.declined", "booking.cancelled"])
    data = db.scalars(select(events.c.data).where(of_requests)).all()
    assert [(each["credit_returned"], each["credit_valid_to"]) for each in data] == [(None, None)] * 2


@pytest.mark.parametrize(
    ("how", "extended"),
    [
        ("declined", True),
        ("expired", True),
        ("withdrawn", False),
        ("cancelled by mentor", True),
        ("cancelled by mentee", False),
        ("no-show of mentor", True),
        ("no-show of mentee", False),
        ("waived", True),
    ],
)
def test_a_returned_credit_extends_an_ended_bundle_unless_by_its_mentee(
    db: Connection, how: str, extended: bool
) -> None:
    bundle = factories.make_bundle(db, valid_days=1, at=NOW - DAY)
    fees: dict[str, Any] = {"late_fee_percent": 50 if how == "waived" else 0, "no_show_fee_percent": 0}
    listing = factories.make_listing(db, course_id=bundle.course_id, **fees)
    is_draft = how in ("declined", "expired", "withdrawn")
    booking = factories.make_paid_booking(db, bundle, listing=listing, accepted=not is_draft, at=NOW - DAY)
    mentee, mentor = Actor.person(bundle.mentee_user_id, None), factories.mentor_of(booking)
    about: dict[str, Any] = {"now": NOW, "reason": "Ill"}
    if is_draft:
        end = {
            "declined": lambda: decline(db, actor=mentor, booking=booking, **about),
            "withdrawn": lambda: withdraw(db, actor=mentee, booking=booking, **about),
            "expired": lambda: expire(db, booking=booking, now=NOW),
        }
        end[how]()
        flush_deferred(db)
    elif how.startswith("no-show"):
        who, at = AbsentParty(how.split()[-1]), booking.start_time + timedelta(hours=1)
        session = report_no_show(db, actor=factories.OPERATOR, session=terms_of(db, booking), who=who, now=at)
        about["now"] = at
    else:
        by = mentor if how == "cancelled by mentor" else mentee
        at = booking.start_time - TICK if how == "waived" else NOW
        session = cancel(db, actor=by, session=terms_of(db, booking), reason="Ill", now=at)
        if how == "waived":
            assert left_in(db, bundle) == 4
            session = waive_fee(db, actor=factories.OPERATOR, session=present_terms(db, booking), **about)
    present = Bundle.of(db.execute(bundle_query(bundle.id)).one())
    assert present.remaining_sessions == 5
    assert bundle.valid_to is not None
    assert present.valid_to == (about["now"] + 30 * DAY if extended else bundle.valid_to)
    last = db.execute(select(events).where(events.c.subject_id != bundle.id).order_by(events.c.sequence.desc())).first()
    assert last is not None
    assert last.data["credit_valid_to"] == present.valid_to.isoformat()
    set_again = select(events).where(events.c.subject_id == bundle.id, events.c.type == "bundle.validity_set")
    assert len(db.execute(set_again).all()) == 1 + extended
    if not is_draft:
        assert session.cancellation is not None
        assert session.cancellation["creditValidTo"] == rfc3339(present.valid_to)


def test_a_credit_extends_no_bundle_that_goes_on(db: Connection) -> None:
    bundles = [factories.make_bundle(db, valid_days=days) for days in (1, None)]
    for bundle in bundles:
        booking = factories.make_paid_booking(db, bundle)
        cancelled_by(db, factories.mentor_of(booking), booking, at=NOW)
        assert Bundle.of(db.execute(bundle_query(bundle.id)).one()).valid_to == bundle.valid_to
