"""Timers that are due while people decide what they are about: the decision counts, and the timer has nothing to do."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, Engine

from models.terms import RescheduleMode
from tests import factories
from tests.concurrency.racing import meanwhile
from workflows.bookings.records import Booking, booking_query
from workflows.events.event import Event
from workflows.events.event_types import BookingRequested, SessionRescheduleProposed
from workflows.events.subscriptions import Effect, load
from workflows.identity.actor import SYSTEM, Actor
from workflows.sessions.moving import decline_proposal, reschedule
from workflows.sessions.proposals import Proposal
from workflows.sessions.records import (
    SESSION_WITH_PROPOSAL,
    SessionWithProposal,
    SessionWithTerms,
    session_with_terms_query,
)


def now() -> datetime:
    return datetime.now(UTC)


def timer(name: str, event: Event) -> Callable[[Connection], object]:
    """The run of a timer about an event."""
    effect = load().named(name)
    assert isinstance(effect, Effect)
    return partial(effect.run, event=event, now=now())


def test_a_request_that_is_just_being_accepted_does_not_expire(engine: Engine) -> None:
    with engine.begin() as db:
        booking = factories.make_booking(db)
    event = BookingRequested.about(booking, actor=SYSTEM, now=now())
    accepts = partial(factories.accept_booking, booking=booking)
    assert meanwhile(engine, accepts, timer("bookings.expire", event)) is None
    with engine.begin() as db:
        assert Booking.of(db.execute(booking_query(booking.id)).one()).status == "accepted"


def test_a_proposal_that_is_just_being_declined_does_not_expire(engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, reschedule_mode=RescheduleMode.BY_AGREEMENT)
        session = factories.make_session(db, listing=listing)
        assert session.mentee_user_id is not None
        mentee = Actor.person(session.mentee_user_id, None)
        terms = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        proposal = reschedule(db, actor=mentee, session=terms, start_time=factories.next_slot(), now=now())
        assert isinstance(proposal, Proposal)
    about = {"from_": proposal.from_time, "to": proposal.start_time, "by": "mentee", "expires_at": proposal.expires_at}
    event = SessionRescheduleProposed.about(session, actor=SYSTEM, now=now(), proposal_id=proposal.id, **about)

    def asked(db: Connection) -> SessionWithProposal:
        ids = {"session_id": session.id, "proposal_id": proposal.id}
        return SessionWithProposal.of(db.execute(SESSION_WITH_PROPOSAL, ids).one())

    def declines(db: Connection) -> object:
        found = asked(db)
        actor = factories.mentor_of(session)
        return decline_proposal(db, actor=actor, session=found, proposal=found.asked, now=now())

    assert meanwhile(engine, declines, timer("sessions.expire_proposal", event)) is None
    with engine.begin() as db:
        assert asked(db).asked.status == "declined"
