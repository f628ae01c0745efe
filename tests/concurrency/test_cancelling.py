"""Races between the cancellation of a session, other steps of it, and bookings of its time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.calendar import mentor_busy
from models.events import events
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from workflows.bookings.booking import Booking
from workflows.identity.actor import Actor
from workflows.sessions.cancel import cancel
from workflows.sessions.session import Session, SessionWithTerms, session_with_terms_query
from workflows.sessions.steps import create


def _read(db: Connection, session: Session) -> SessionWithTerms:
    return SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())


def _cancels(db: Connection, session: SessionWithTerms, *, by: Actor) -> Session:
    return cancel(db, actor=by, session=session, reason="Something came up", now=datetime.now(UTC))


def _scheduled(engine: Engine) -> list[SessionWithTerms]:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        booked = [factories.make_booking(db, listing=listing, mentee=mentee) for _ in range(ROUNDS)]
        made = [create(db, booking_id=factories.accept_booking(db, booking).id) for booking in booked]
        return [_read(db, session) for session in made]


def _happened(engine: Engine, session: Session) -> list[str]:
    with engine.begin() as db:
        return list(db.scalars(select(events.c.type).where(events.c.subject_id == session.id)))


def _blocks(engine: Engine, session: Session) -> int:
    with engine.begin() as db:
        query = select(func.count()).where(mentor_busy.c.booking_id == session.booking_id)
        return db.execute(query).scalar_one()


def test_of_two_cancellations_at_once_one_is_made(engine: Engine, race: Race) -> None:
    for session in _scheduled(engine):
        mentee = Actor.person(session.mentee_user_id, None)  # type: ignore[arg-type]
        parties = (factories.mentor_of(session), mentee)
        outcomes = race.transact([partial(_cancels, session=session, by=party) for party in parties])
        assert codes(outcomes) == ["invalid_transition"]
        assert _happened(engine, session) == ["session.cancelled"]
        assert _blocks(engine, session) == 0


def test_a_session_is_started_or_cancelled_and_never_both(engine: Engine, race: Race) -> None:
    for session in _scheduled(engine):
        cancelling = partial(_cancels, session=session, by=factories.mentor_of(session))
        outcomes = race.transact([cancelling, partial(factories.start_session, session=session)])
        assert codes(outcomes) == ["invalid_transition"]
        (taken,) = _happened(engine, session)
        assert (
            winners(outcomes)[0].status == {"session.cancelled": "cancelled", "session.started": "in_progress"}[taken]
        )
        # A started session keeps the mentor's time.
        assert _blocks(engine, session) == (taken == "session.started")


def test_the_time_of_a_cancelled_session_can_be_taken(engine: Engine, race: Race) -> None:
    for session in _scheduled(engine):
        rival = _rival(engine, session)
        cancelling = partial(_cancels, session=session, by=factories.mentor_of(session))
        outcomes = race.transact([cancelling, partial(factories.accept_booking, booking=rival)])
        # The mentor's lock puts one behind the other: accepted after the cancellation, refused before it.
        assert codes(outcomes) in ([], ["slot_taken"])
        assert _happened(engine, session) == ["session.cancelled"]
        assert _blocks(engine, session) == 0


def _rival(engine: Engine, session: Session) -> Booking:
    with engine.begin() as db:
        listing = factories.listing_of(db, session)
        return factories.make_booking(db, listing=listing, start_time=session.start_time)
