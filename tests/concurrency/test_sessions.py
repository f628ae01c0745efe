"""Two steps of one session at once: one is taken, the other one is refused."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, Engine, func, select

from models.audit import audit_entries
from models.bookings import BookingStatus
from models.calendar import person_busy
from models.events import deliveries, events
from models.sessions import session_id_of, sessions
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from tests.queries import execute, scalars
from workflows.bookings.actions import accept, decline
from workflows.bookings.actions import cancel as cancel_booking
from workflows.bookings.records import Booking, booking_query
from workflows.bundles.records import Bundle, bundle_query
from workflows.identity.actor import Actor
from workflows.sessions.actions import complete, create, start
from workflows.sessions.cancel import cancel
from workflows.sessions.outcomes import waive_fee
from workflows.sessions.records import Session, SessionWithTerms, session_query, session_with_terms_query

Step = Callable[..., Session]


def _mentor_starts(db: Connection, session: Session) -> Session:
    return factories.start_session(db, session)


def _mentee_starts(db: Connection, session: Session) -> Session:
    assert session.mentee_user_id is not None
    mentee = Actor.person(session.mentee_user_id, None)
    return start(db, actor=mentee, session=session, early_start_minutes=None, now=datetime.now(UTC))


def _mentor_completes(db: Connection, session: Session) -> Session:
    """As a request does: the session is read in the same transaction, whatever it is by then."""
    present = Session.of(db.execute(session_query(session.id)).one())
    return complete(db, actor=factories.mentor_of(present), session=present, now=datetime.now(UTC))


STEPS: Mapping[str, Step] = {
    "mentor starts": _mentor_starts,
    "mentee starts": _mentee_starts,
    "mentor completes": _mentor_completes,
}


@pytest.mark.parametrize(("one", "other"), [("mentor starts", "mentor starts"), ("mentor starts", "mentee starts")])
def test_of_two_starts_at_once_one_is_made(engine: Engine, race: Race, one: str, other: str) -> None:
    for session in _scheduled(engine):
        outcomes = race.transact([partial(STEPS[one], session=session), partial(STEPS[other], session=session)])
        assert codes(outcomes) == ["invalid_transition"]
        assert _steps_of(engine, session) == ["session.started"]
        assert _present(engine, session) == winners(outcomes)[0]


def test_of_two_completions_at_once_one_is_made(engine: Engine, race: Race) -> None:
    for session in _scheduled(engine):
        with engine.begin() as db:
            started = factories.start_session(db, session)
        outcomes = race.transact([partial(_mentor_completes, session=started)] * 2)
        assert codes(outcomes) == ["invalid_transition"]
        assert _steps_of(engine, session) == ["session.started", "session.completed"]


def test_a_completion_beside_a_start_follows_or_is_refused(engine: Engine, race: Race) -> None:
    for session in _scheduled(engine):
        outcomes = race.transact(
            [partial(_mentee_starts, session=session), partial(_mentor_completes, session=session)]
        )
        assert codes(outcomes) in ([], ["invalid_transition"])
        taken = ["session.started", "session.completed"][: len(winners(outcomes))]
        assert _steps_of(engine, session) == taken
        assert _present(engine, session).status == ("in_progress" if len(taken) == 1 else "completed")


def _scheduled(engine: Engine) -> list[Session]:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        accepted = [
            factories.accept_booking(db, factories.make_booking(db, listing=listing, mentee=mentee))
            for _ in range(ROUNDS)
        ]
        return [create(db, booking_id=booking.id) for booking in accepted]


def _steps_of(engine: Engine, session: Session) -> list[str]:
    return list(scalars(engine, select(events.c.type).where(events.c.subject_id == session.id).order_by("sequence")))


def _present(engine: Engine, session: Session) -> Session:
    return Session.of(execute(engine, Session.query().where(sessions.c.id == session.id)).one())


def _read(db: Connection, session: Session) -> SessionWithTerms:
    return SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())


def _cancels(db: Connection, session: SessionWithTerms, *, by: Actor) -> Session:
    return cancel(db, actor=by, session=session, reason="Something came up", now=datetime.now(UTC))


def _scheduled_with_terms(engine: Engine) -> list[SessionWithTerms]:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        booked = [factories.make_booking(db, listing=listing, mentee=mentee) for _ in range(ROUNDS)]
        made = [create(db, booking_id=factories.accept_booking(db, booking).id) for booking in booked]
        return [_read(db, session) for session in made]


def _happened(engine: Engine, session: Session) -> list[str]:
    return list(scalars(engine, select(events.c.type).where(events.c.subject_id == session.id)))


def _blocks(engine: Engine, session: Session) -> int:
    with engine.begin() as db:
        query = select(func.count()).where(person_busy.c.booking_id == session.booking_id, OF_MENTOR)
        return db.execute(query).scalar_one()


def test_of_two_cancellations_at_once_one_is_made(engine: Engine, race: Race) -> None:
    for session in _scheduled_with_terms(engine):
        assert session.mentee_user_id is not None
        mentee = Actor.person(session.mentee_user_id, None)
        parties = (factories.mentor_of(session), mentee)
        outcomes = race.transact([partial(_cancels, session=session, by=party) for party in parties])
        assert codes(outcomes) == ["invalid_transition"]
        assert _happened(engine, session) == ["session.cancelled"]
        assert _blocks(engine, session) == 0


def test_a_session_is_started_or_cancelled_and_never_both(engine: Engine, race: Race) -> None:
    for session in _scheduled_with_terms(engine):
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
    for session in _scheduled_with_terms(engine):
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


Decision = Callable[..., Booking]


def _accepts(db: Connection, booking: Booking) -> Booking:
    return accept(db, actor=factories.mentor_of(booking), booking=booking, now=datetime.now(UTC))


def _declines(db: Connection, booking: Booking) -> Booking:
    return decline(db, actor=factories.mentor_of(booking), booking=booking, reason=None, now=datetime.now(UTC))


def _cancels_booking(db: Connection, booking: Booking) -> Booking:
    assert booking.mentee_user_id is not None
    mentee = Actor.person(booking.mentee_user_id, None)
    return cancel_booking(db, actor=mentee, booking=booking, reason=None, now=datetime.now(UTC))


DECISIONS: Mapping[str, Decision] = {"accept": _accepts, "decline": _declines, "cancel": _cancels_booking}
OF_MENTOR = person_busy.c.mentor_profile_id.is_not(None)
MADE = (BookingStatus.ACCEPTED, BookingStatus.DECLINED, BookingStatus.CANCELLED)


@pytest.mark.parametrize(
    ("one", "other"),
    [("accept", "accept"), ("accept", "decline"), ("accept", "cancel"), ("decline", "cancel"), ("cancel", "cancel")],
)
def test_of_two_decisions_at_once_one_is_made(engine: Engine, race: Race, one: str, other: str) -> None:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        drafts = [factories.make_booking(db, listing=listing, mentee=mentee) for _ in range(ROUNDS)]
    for draft in drafts:
        outcomes = race.transact([partial(DECISIONS[one], booking=draft), partial(DECISIONS[other], booking=draft)])
        assert codes(outcomes) == ["invalid_transition"]
        with engine.begin() as db:
            _assert_decided_once(db, draft, winners(outcomes)[0])


def _assert_decided_once(db: Connection, draft: Booking, decided: Booking) -> None:
    """The row is as the winner got it, with one event, that event's effects, and its block of time if accepted."""
    assert Booking.of(db.execute(booking_query(draft.id)).one()) == decided
    made = db.execute(
        select(events.c.id, events.c.type).where(
            events.c.subject_id == draft.id, events.c.type.in_([f"booking.{status}" for status in MADE])
        )
    ).all()
    assert [event.type for event in made] == [f"booking.{decided.status}"]
    assert db.scalars(select(deliveries.c.effect).where(deliveries.c.event_id == made[0].id)).all()
    blocks = db.scalar(select(func.count()).where(person_busy.c.booking_id == draft.id, OF_MENTOR))
    assert blocks == (decided.status is BookingStatus.ACCEPTED)


def test_of_two_waivers_at_once_one_returns_the_credit(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        with engine.begin() as db:
            bundle = factories.make_bundle(db, valid_days=30)
            booking = factories.make_paid_booking(db, bundle)
            create(db, booking_id=booking.id)
            late = booking.start_time - timedelta(hours=1)
            cancel(
                db, actor=Actor.person(bundle.mentee_user_id, None), session=_terms(db, booking), reason="", now=late
            )
            kept = _terms(db, booking)
        waive = partial(waive_fee, actor=factories.OPERATOR, session=kept, reason="Ill", now=late + timedelta(days=60))
        outcomes = race.transact([waive] * 2)
        assert codes(outcomes) in ([], ["invalid_transition"])
        assert _steps_of(engine, kept)[-2:] == ["session.cancelled", "session.fee_waived"]
        with engine.connect() as db:
            present = Bundle.of(db.execute(bundle_query(bundle.id)).one())
            entries = db.scalar(select(func.count()).where(audit_entries.c.subject_id == str(kept.id)))
        assert (present.remaining_sessions, present.valid_to) == (5, late + timedelta(days=90))
        assert entries == 1


def _terms(db: Connection, booking: Booking) -> SessionWithTerms:
    return SessionWithTerms.of(db.execute(session_with_terms_query(session_id_of(booking.id))).one())
