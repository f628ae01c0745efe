"""Deletions of an account that race with what makes new things of the person: one of the two wins, whole."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, select

from models.base import enum_literal
from models.bookings import BookingStatus, bookings
from models.bundles import bundle_purchases
from models.catalog import BookingMode, ProductKind
from models.catalog import listings as listings_table
from models.events import events
from models.payments import PaymentMode, PaymentStatus
from models.people import ERASED_NAME, email_changes, mentor_profiles, users
from tests import factories
from tests.concurrency.racing import WAITING, Race, codes, meanwhile, winners
from tests.eventually import eventually
from tests.queries import scalar
from workflows.accounts.actions import change_mentor_profile, change_user, publish_mentor_profile
from workflows.accounts.email_change import request_email_change
from workflows.accounts.records import Mentor, User
from workflows.bookings.actions import accept, cancel, decline
from workflows.bookings.records import Booking
from workflows.bookings.request import request
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing, publish_listing
from workflows.events.event_types import EmailChangeRequested
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, DomainError, NotFound
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.payments.records import PAYMENT, Payment
from workflows.privacy.deletion import delete_account

ROUNDS, RIVALS = 5, 5
Call = Callable[[Connection], object]


def deletion(person: User) -> Call:
    """The person's own, which cancels what is open."""

    def delete(db: Connection) -> str:
        delete_account(db, user_id=person.id, cancel=True, now=datetime.now(UTC), policy=DEFAULT_POLICY)
        return "deleted"

    return delete


def acceptance(draft: Booking) -> Call:
    return lambda db: accept(db, actor=factories.mentor_of(draft), booking=draft, now=datetime.now(UTC))


def of_person(engine: Engine, person: User) -> dict[str, int]:
    """How many bookings of each status the person has, and whether the account is erased."""
    with engine.connect() as db:
        counted = select(bookings.c.status, func.count().label("number")).where(bookings.c.mentee_user_id == person.id)
        found = {row.status.value: row.number for row in db.execute(counted.group_by(bookings.c.status))}
        erased = db.scalar(select(users.c.erased_at).where(users.c.id == person.id)) is not None
    return {**found, "erased": int(erased)}


@pytest.fixture
def person(engine: Engine) -> User:
    with engine.begin() as db:
        return factories.make_user(db)


def test_a_request_is_accepted_or_goes_with_its_account(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            person = factories.make_user(db)
            drafts = [factories.make_booking(db, mentee=person) for _ in range(RIVALS)]
        outcomes = race.transact([deletion(person), *map(acceptance, drafts)])
        accepted = [each for each in outcomes[1:] if not isinstance(each, DomainError)]
        state = of_person(engine, person)
        if outcomes[0] == "deleted":
            assert (state, accepted) == ({"cancelled": RIVALS, "erased": 1}, [])
            assert set(codes(outcomes[1:])) == {"invalid_transition"}
        else:
            # A session was being created: nothing was cancelled, and the person asks again in a moment.
            assert codes(outcomes[:1]) == ["still_open"]
            assert state["erased"] == 0
            assert state["accepted"] == len(accepted) > 0


def test_nothing_is_requested_for_an_account_that_is_gone(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            person = factories.make_user(db)
            listings = [factories.make_listing(db).id for _ in range(RIVALS)]

        def ask(db: Connection, listing_id: UUID, person: User = person) -> Booking:
            mentee = Actor.person(person.id, None)
            start = factories.next_slot()
            return request(db, actor=mentee, listing_id=listing_id, start_time=start, now=datetime.now(UTC))

        outcomes = race.transact([deletion(person), *(partial(ask, listing_id=each) for each in listings)])
        assert outcomes[0] == "deleted"
        state = of_person(engine, person)
        assert state.get(BookingStatus.DRAFT.value, 0) == 0
        assert state.get(BookingStatus.CANCELLED.value, 0) == len(winners(outcomes)) - 1
        assert state["erased"] == 1


@pytest.mark.parametrize("mode", BookingMode)
def test_nothing_is_booked_with_a_mentor_who_is_gone(engine: Engine, race: Race, mode: BookingMode) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            person = factories.make_user(db)
            mentor = factories.make_mentor(db, person)
            listing = factories.make_listing(db, mentor, booking_mode=mode)
            mentees = [factories.make_user(db) for _ in range(RIVALS)]

        def ask(db: Connection, mentee: User, listing: Listing = listing) -> Booking:
            now, start = datetime.now(UTC), factories.next_slot()
            return request(db, actor=Actor.person(mentee.id, None), listing_id=listing.id, start_time=start, now=now)

        outcomes = race.transact([deletion(person), *(partial(ask, mentee=each) for each in mentees)])
        with engine.connect() as db:
            booked = select(bookings.c.status).where(bookings.c.mentor_profile_id == mentor.id)
            statuses = list(db.scalars(booked))
        assert len(statuses) == len(winners(outcomes[1:]))
        if outcomes[0] == "deleted":
            assert set(statuses) <= {BookingStatus.DECLINED}
        else:
            assert codes(outcomes[:1]) == ["still_open"]
            assert BookingStatus.ACCEPTED in statuses


def test_a_change_of_an_account_does_not_outlive_it(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            person = factories.make_user(db)
        change = partial(change_user, user_id=person.id, changes={"name": "Ada King"})
        assert race.transact([deletion(person), *[change] * RIVALS])[0] == "deleted"
        assert scalar(engine, select(users.c.name).where(users.c.id == person.id)) == ERASED_NAME


def test_no_address_is_confirmed_for_an_account_that_is_gone(engine: Engine, person: User) -> None:
    def ask(db: Connection) -> None:
        actor, now = Actor.person(person.id, None), datetime.now(UTC)
        request_email_change(db, actor=actor, user_id=person.id, email="new@example.org", now=now)

    meanwhile(engine, deletion(person), ask)
    with engine.connect() as db:
        assert db.execute(select(email_changes)).all() == []
        assert db.scalars(select(events.c.type).where(events.c.type == EmailChangeRequested.type)).all() == []


def test_nothing_is_bought_for_an_account_that_is_gone(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            person, course = factories.make_user(db), factories.make_course(db)
            sold = [
                factories.make_product(db, course, ProductKind.BUNDLE, session_count=number)
                for number in range(2, 2 + RIVALS)
            ]

        def buy(db: Connection, product_id: UUID, person: User = person, course: Course = course) -> Bundle:
            mentee, now = Actor.person(person.id, None), datetime.now(UTC)
            ids: dict[str, Any] = {"course_id": course.id, "product_id": product_id, "mentee_user_id": person.id}
            return purchase(db, actor=mentee, now=now, **ids)

        outcomes = race.transact([deletion(person), *(partial(buy, product_id=each.id) for each in sold)])
        assert outcomes[0] == "deleted"
        bought = winners(outcomes)[1:]
        with engine.connect() as db:
            credits = select(bundle_purchases.c.remaining_sessions).where(
                bundle_purchases.c.mentee_user_id == person.id
            )
            assert list(db.scalars(credits)) == [0] * len(bought)


def test_a_bundle_that_was_bought_while_the_deletion_waited_goes_with_the_account(engine: Engine) -> None:
    with engine.begin() as db:
        person, course = factories.make_user(db), factories.make_course(db)
        prepaid: dict[str, Any] = {"session_count": 2, "payment_mode": PaymentMode.BEFORE}
        product = factories.make_product(db, course, ProductKind.BUNDLE, **prepaid)
        asked = datetime.now(UTC)
        about: dict[str, Any] = {"course_id": course.id, "product_id": product.id, "mentee_user_id": person.id}
        bought = purchase(db, actor=Actor.person(person.id, None), now=datetime.now(UTC), **about)
        assert bought.payment is not None
        delete_account(db, user_id=person.id, cancel=True, now=asked, policy=DEFAULT_POLICY)
        payment = Payment.of(db.execute(PAYMENT, {"id": bought.payment.id}).one())
    assert payment.status is PaymentStatus.CANCELLED


def test_a_profile_waits_for_the_deletion_of_its_account(engine: Engine, person: User) -> None:
    def publish() -> Mentor:
        words: dict[str, Any] = {"headline": "Mentor", "bio": None, "time_zone": None, "skills": []}
        with engine.begin() as db:
            return publish_mentor_profile(db, actor=Actor.person(person.id, None), user_id=person.id, **words)

    watching = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as publishing, watching as onlooker:
        with engine.begin() as db:
            deletion(person)(db)
            published = publishing.submit(publish)
            eventually(lambda: published.done() or onlooker.scalar(WAITING), "a profile that waits or is there")
        with pytest.raises(NotFound):
            published.result()
    assert scalar(engine, select(mentor_profiles.c.id).where(mentor_profiles.c.user_id == person.id)) is None


def test_no_listing_of_an_account_that_is_gone_is_active(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            person = factories.make_user(db)
            mentor = factories.make_mentor(db, person)

        def publish(db: Connection, title: str, mentor: Mentor = mentor) -> Listing:
            offer = {"title": title, "duration_minutes": 60, "price_amount": 4000, "price_currency": "USD"}
            return publish_listing(db, actor=factories.acting_mentor(mentor), offer=offer)

        outcomes = race.transact([deletion(person), *(partial(publish, title=f"{n}") for n in range(RIVALS))])
        assert outcomes[0] == "deleted"
        with engine.connect() as db:
            of_mentor = listings_table.c.mentor_profile_id == mentor.id
            active = list(db.scalars(select(listings_table.c.active).where(of_mentor)))
        assert active == [False] * len(winners(outcomes[1:]))


def test_a_change_of_a_profile_does_not_outlive_it(engine: Engine, race: Race) -> None:
    for _round in range(ROUNDS):
        with engine.begin() as db:
            person = factories.make_user(db)
            mentor = factories.make_mentor(db, person)
        change = partial(
            change_mentor_profile,
            actor=factories.OPERATOR,
            mentor=mentor,
            changes={"bio": "Ada"},
            any_version=True,
            now=datetime.now(UTC),
        )
        assert race.transact([deletion(person), *[change] * RIVALS])[0] == "deleted"
        assert scalar(engine, select(mentor_profiles.c.bio).where(mentor_profiles.c.id == mentor.id)) is None


def test_two_deletions_at_once_are_one(engine: Engine, race: Race, person: User) -> None:
    with engine.begin() as db:
        factories.make_booking(db, mentee=person)
    assert race.transact([deletion(person)] * RIVALS) == ["deleted"] * RIVALS
    assert of_person(engine, person) == {"cancelled": 1, "erased": 1}
    with engine.connect() as db:
        drafts = select(bookings.c.id).where(bookings.c.status == enum_literal(BookingStatus.DRAFT))
        assert db.execute(drafts).all() == []


@pytest.mark.parametrize("by_mentor", [True, False])
def test_a_request_that_is_just_being_decided_is_waited_for(engine: Engine, person: User, by_mentor: bool) -> None:
    with engine.begin() as db:
        drafts = [factories.make_booking(db, mentee=person) for _ in range(2)]

    def decide(db: Connection) -> None:
        actor = factories.mentor_of(drafts[0]) if by_mentor else Actor.person(person.id, None)
        end = decline if by_mentor else cancel
        end(db, actor=actor, booking=drafts[0], reason=None, now=datetime.now(UTC))

    assert meanwhile(engine, decide, deletion(person)) == "deleted"
    decided = {"declined": 1, "cancelled": 1} if by_mentor else {"cancelled": 2}
    assert of_person(engine, person) == {**decided, "erased": 1}


def test_a_session_that_is_just_being_started_keeps_its_account(engine: Engine, person: User) -> None:
    with engine.begin() as db:
        session = factories.make_session(db, mentee=person)
    with pytest.raises(Conflict) as refused:
        meanwhile(engine, partial(factories.start_session, session=session), deletion(person))
    assert (refused.value.code, (refused.value.details or {})["sessions"]) == ("still_open", [str(session.id)])
    assert of_person(engine, person) == {"accepted": 1, "erased": 0}
