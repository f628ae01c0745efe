"""A session that moves while its time, its proposal or itself is changed by others: one outcome, sound calendars."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, select

from models.catalog import BookingMode
from models.payments import PaymentMode, payments
from models.terms import RescheduleMode
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from tests.queries import broken_invariants
from workflows.bookings.request import request
from workflows.catalog.listings import publish_listing
from workflows.groups.place import read_group
from workflows.groups.seats import join, leave
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.errors import InvalidTransition
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.payments.records import PAYMENT, Payment
from workflows.sessions.actions import create, start
from workflows.sessions.cancel import cancel
from workflows.sessions.moving import accept_proposal, expire_proposal, reschedule, withdraw_proposal
from workflows.sessions.proposals import Proposal
from workflows.sessions.records import (
    SESSION_WITH_PROPOSAL,
    SESSION_WITH_TERMS,
    Session,
    SessionWithProposal,
    SessionWithTerms,
)
from workflows.settlements.actions import confirm, lapse

Step = Callable[[Connection], object]


def now() -> datetime:
    return datetime.now(UTC)


def present(db: Connection, session_id: UUID) -> SessionWithTerms:
    return SessionWithTerms.of(db.execute(SESSION_WITH_TERMS, {"id": session_id}).one())


def mentee_of(session: Session) -> Actor:
    assert session.mentee_user_id is not None
    return Actor.person(session.mentee_user_id, None)


def moves(session: Session, to: datetime, db: Connection) -> object:
    return reschedule(db, actor=mentee_of(session), session=present(db, session.id), start_time=to, now=now())


def is_moved_by_staff(session: Session, to: datetime, db: Connection) -> object:
    return reschedule(db, actor=factories.OPERATOR, session=present(db, session.id), start_time=to, now=now())


def cancels(session: Session, db: Connection) -> object:
    return cancel(db, actor=factories.mentor_of(session), session=present(db, session.id), reason="Ill.", now=now())


def starts(session: Session, db: Connection) -> object:
    actor, found = factories.mentor_of(session), present(db, session.id)
    return start(db, actor=actor, session=found, early_start_minutes=None, now=now())


def make(engine: Engine, mode: RescheduleMode = RescheduleMode.FREE) -> Session:
    with engine.begin() as db:
        return factories.make_session(db, listing=factories.make_listing(db, reschedule_mode=mode))


def require_sound(engine: Engine) -> None:
    # Nobody makes the sessions of the bookings here, nor runs effects.
    assert broken_invariants(engine) <= {"accepted_booking_without_session", "delivery_long_overdue"}


def test_one_gets_the_time_that_two_want(engine: Engine, race: Race) -> None:
    for number in range(ROUNDS):
        session, to = make(engine), factories.next_slot()
        with engine.begin() as db:
            offer = {"title": "Another", "duration_minutes": 45, "price_amount": 1, "price_currency": "USD"}
            columns = {**offer, "booking_mode": BookingMode.INSTANT}
            listing = publish_listing(db, actor=factories.mentor_of(session), offer=columns)
            mentee = factories.make_user(db)
        books = partial(_books, listing.id, Actor.person(mentee.id, None), to + timedelta(minutes=30))
        steps: list[Step] = [partial(moves, session, to), books]
        outcomes = race.transact(steps if number % 2 else steps[::-1])
        assert (codes(outcomes), len(winners(outcomes))) == (["slot_taken"], 1)
    require_sound(engine)


def _books(listing_id: UUID, mentee: Actor, to: datetime, db: Connection) -> object:
    return request(db, actor=mentee, listing_id=listing_id, start_time=to, now=now())


@pytest.mark.parametrize("other", [cancels, starts], ids=["cancel", "start"])
def test_a_session_moves_or_is_another(engine: Engine, race: Race, other: Callable[..., object]) -> None:
    for number in range(ROUNDS):
        session, to = make(engine), factories.next_slot()
        steps: list[Step] = [partial(moves, session, to), partial(other, session)]
        outcomes = race.transact(steps if number % 2 else steps[::-1])
        with engine.begin() as db:
            ended = present(db, session.id)
        assert set(codes(outcomes)) <= {"invalid_transition"}
        assert len(winners(outcomes)) >= 1
        assert (ended.reschedule_count == 1) is (ended.start_time == to)
        if len(winners(outcomes)) == 1:
            assert (ended.status == "scheduled") is (ended.reschedule_count == 1)
    require_sound(engine)


def test_of_two_moves_at_once_one_is_made(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        session = make(engine)
        times = [factories.next_slot() for _ in range(3)]
        steps: list[Step] = [
            partial(moves, session, times[0]),
            partial(moves, session, times[1]),
            partial(is_moved_by_staff, session, times[2]),
        ]
        outcomes = race.transact(steps)
        assert codes(outcomes) in ([], ["invalid_transition"], ["invalid_transition"] * 2)
        with engine.begin() as db:
            assert present(db, session.id).reschedule_count == len(winners(outcomes))
    require_sound(engine)


def test_two_sessions_that_change_places_never_deadlock(engine: Engine, race: Race) -> None:
    """Of one mentor and two mentees, each to where the other is: refused, or the first one to a free time."""
    for _ in range(ROUNDS):
        with engine.begin() as db:
            listing = factories.make_listing(db, reschedule_mode=RescheduleMode.FREE)
            one, two = factories.make_session(db, listing=listing), factories.make_session(db, listing=listing)
        steps: list[Step] = [partial(moves, one, two.start_time), partial(moves, two, one.start_time)]
        outcomes = race.transact(steps)
        assert codes(outcomes) == ["slot_taken"] * 2
    require_sound(engine)


def test_a_proposal_has_one_end(engine: Engine, race: Race) -> None:
    kinds = list(permutations((_accepts, _withdraws, _expires, None)))
    for number in range(ROUNDS):
        session, to = make(engine, RescheduleMode.BY_AGREEMENT), factories.next_slot()
        with engine.begin() as db:
            proposal = moves(session, to, db)
        assert isinstance(proposal, Proposal)
        steps: list[Step] = [
            partial(cancels, session) if kind is None else partial(kind, session, proposal)
            for kind in kinds[number % len(kinds)]
        ]
        outcomes = race.transact(steps)
        assert set(codes(outcomes)) <= {"invalid_transition"}
        with engine.begin() as db:
            ids = {"session_id": session.id, "proposal_id": proposal.id}
            found = SessionWithProposal.of(db.execute(SESSION_WITH_PROPOSAL, ids).one())
        assert found.asked.status != "open"
        assert (found.asked.status == "accepted") is (found.start_time == to)
        assert found.reschedule_count == (1 if found.start_time == to else 0)
    require_sound(engine)


def _asked(db: Connection, session: Session, proposal: Proposal) -> SessionWithProposal:
    ids = {"session_id": session.id, "proposal_id": proposal.id}
    return SessionWithProposal.of(db.execute(SESSION_WITH_PROPOSAL, ids).one())


def _accepts(session: Session, proposal: Proposal, db: Connection) -> object:
    found, actor = _asked(db, session, proposal), factories.mentor_of(session)
    return accept_proposal(db, actor=actor, session=found, proposal=found.asked, now=now())


def _withdraws(session: Session, proposal: Proposal, db: Connection) -> object:
    found, actor = _asked(db, session, proposal), mentee_of(session)
    return withdraw_proposal(db, actor=actor, session=found, proposal=found.asked, now=now())


def _expires(session: Session, proposal: Proposal, db: Connection) -> None:
    found = _asked(db, session, proposal)
    if not found.asked.is_open:
        raise InvalidTransition("It has ended.")
    expire_proposal(db, session=found, proposal=found.asked, actor=SYSTEM, now=now())


def test_who_joins_a_group_that_moves_has_its_time(engine: Engine, race: Race) -> None:
    for number in range(ROUNDS):
        with engine.begin() as db:
            mentees = [factories.make_user(db) for _ in range(2)]
            session = factories.make_group_session(db, mentees)
            joining = factories.make_user(db)
        to = factories.next_slot()
        steps: list[Step] = [
            partial(is_moved_by_staff, session, to),
            partial(_joins, session.booking_id, joining.id),
            partial(_leaves, session.booking_id, mentees[0].id),
        ]
        outcomes = race.transact(steps if number % 2 else steps[::-1])
        # The move is refused where a person joined before the group was locked.
        assert set(codes(outcomes)) <= {"invalid_transition"}
        assert len(winners(outcomes)) >= 2
    require_sound(engine)


def test_a_seat_that_awaits_its_payment_is_due_by_the_start_of_a_group_that_moves(engine: Engine, race: Race) -> None:
    for number in range(ROUNDS):
        with engine.begin() as db:
            listing = factories.make_listing(db, payment_mode=PaymentMode.BEFORE)
            session = create(db, booking_id=factories.make_group(db, [], listing=listing, capacity=3).id)
            waiting, joining = (factories.make_user(db) for _ in range(2))
            _joins(session.booking_id, waiting.id, db)
            awaited = select(payments.c.id).where(payments.c.booking_id == session.booking_id)
            payment = Payment.of(db.execute(PAYMENT, {"id": db.scalars(awaited).one()}).one())
        steps: list[Step] = [
            partial(is_moved_by_staff, session, now() + timedelta(minutes=5)),
            partial(_joins, session.booking_id, joining.id),
            partial(_lapses if number % 2 else _confirms, payment),
        ]
        outcomes = race.transact(steps if number % 4 < 2 else steps[::-1])
        assert set(codes(outcomes)) <= {"invalid_transition"}
        with engine.begin() as db:
            begins = present(db, session.id).start_time
            due = db.scalars(select(payments.c.due_at).where(payments.c.booking_id == session.booking_id)).all()
            assert len(due) == 2
            is_open = (payments.c.booking_id == session.booking_id, payments.c.status == "awaiting")
            assert all(each <= begins for each in db.scalars(select(payments.c.due_at).where(*is_open)))
    require_sound(engine)


def _lapses(payment: Payment, db: Connection) -> None:
    lapse(db, payment=payment, now=payment.due_at)


def _confirms(payment: Payment, db: Connection) -> Payment:
    money: dict[str, Any] = {"reference": f"pi_{payment.id}", "amount": payment.amount, "currency": payment.currency}
    return confirm(db, actor=factories.OPERATOR, payment=payment, now=now(), **money)


def _joins(booking_id: UUID, user_id: UUID, db: Connection) -> object:
    group = read_group(db, booking_id)
    return join(
        db,
        actor=Actor.person(user_id, None),
        group=group,
        mentee_user_id=user_id,
        bundle_purchase_id=None,
        now=now(),
        policy=DEFAULT_POLICY,
    )


def _leaves(booking_id: UUID, user_id: UUID, db: Connection) -> object:
    group, actor = read_group(db, booking_id), Actor.person(user_id, None)
    policy = DEFAULT_POLICY
    return leave(db, actor=actor, group=group, mentee_user_id=user_id, reason=None, now=now(), policy=policy)
