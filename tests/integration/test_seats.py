"""Tests of the seats of a group session: who gets one, what leaving it costs, and what a cancellation gives back."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, func, select, update

from models.bookings import booking_participants
from models.calendar import person_busy
from models.catalog import BookingMode
from models.events import deliveries, events
from models.groups import group_sessions, seat_cancellations
from models.sessions import session_id_of, sessions
from tests import factories
from tests.integration.harness import Harness, without_guards
from workflows.accounts.records import User
from workflows.bundles.records import Bundle, bundle_query
from workflows.groups.place import read_group
from workflows.groups.records import Group
from workflows.groups.seats import join, leave, refund_all, waive_seat_fee
from workflows.identity.actor import Actor
from workflows.invariants import check_all
from workflows.kernel.errors import Conflict, DomainError, Invalid, InvalidTransition, NotFound
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel
from workflows.sessions.outcomes import cancel_not_held, void
from workflows.sessions.records import SessionWithTerms, session_with_terms_query
from workflows.terms.cancellation import Quote

NOW = datetime.now(UTC)
START = factories.this_hour() + timedelta(days=5)
TICK = timedelta(microseconds=1)


@dataclass
class Scene:
    """A group of a course with a price of 15 dollars, whose session begins in five days."""

    db: Connection
    capacity: int = 2
    terms: dict[str, Any] = field(default_factory=dict)  # of its policy

    def __post_init__(self) -> None:
        self.course = factories.make_course(self.db)
        self.mentor = factories.make_mentor(self.db)
        self.listing = factories.make_listing(
            self.db, self.mentor, **{"course_id": self.course.id, "price_amount": 1500, **self.terms}
        )
        booking = factories.make_group(self.db, [], listing=self.listing, start_time=START, capacity=self.capacity)
        create(self.db, booking_id=booking.id)
        self.group = self.present(booking.id)

    def present(self, booking_id: UUID | None = None) -> Group:
        return read_group(self.db, booking_id or self.group.id)

    def person(self) -> User:
        return factories.make_user(self.db)

    def join(self, person: User | None = None, *, actor: Actor | None = None, **how: Any) -> Group:
        who = person or self.person()
        arguments = {
            "bundle_purchase_id": None,
            "now": NOW,
            "policy": DEFAULT_POLICY,
            "group": self.group,
            **how,
        }
        return join(self.db, actor=actor or factories.acting_user(who), mentee_user_id=who.id, **arguments)

    def leave(self, person: User, *, actor: Actor | None = None, **how: Any) -> Quote:
        arguments = {"reason": None, "now": NOW, "policy": DEFAULT_POLICY, **how}
        by = actor or factories.acting_user(person)
        return leave(self.db, actor=by, group=self.group, mentee_user_id=person.id, **arguments)[1]

    def bundle(self, person: User, **product: Any) -> UUID:
        return factories.make_bundle(self.db, course=self.course, mentee=person, **product).id

    def credits(self, bundle_id: UUID) -> int:
        return Bundle.of(self.db.execute(bundle_query(bundle_id)).one()).remaining_sessions

    def events(self, *types: str) -> list[Any]:
        query = (
            select(events.c.type, events.c.data, events.c.actor)
            .where(events.c.type.in_(types))
            .order_by(events.c.sequence)
        )
        return list(self.db.execute(query))

    def blocked(self, person: User) -> int:
        query = select(func.count()).select_from(person_busy).where(person_busy.c.user_id == person.id)
        return int(self.db.scalar(query) or 0)

    def violations(self) -> list[str]:
        names = {"group_seats_differ", "block_without_part", "person_busy_twice", "open_session_without_block"}
        return [each.name for each in check_all(self.db) if each.violations and each.name in names]


def refused(error: type[DomainError], code: str, call: Any, *arguments: Any, **named: Any) -> DomainError:
    """The refusal with that code; everything that the call has done is rolled back."""
    db: Connection = call.__self__.db
    with pytest.raises(error) as refusal, db.begin_nested():
        call(*arguments, **named)
    assert refusal.value.code == code
    return refusal.value


def test_a_seat_has_the_groups_price_and_blocks_its_time(db: Connection) -> None:
    scene = Scene(db)
    ada = scene.person()
    joined = scene.join(ada)
    assert (joined.seats_taken, joined.full) == (1, False)
    seat = db.execute(select(booking_participants).where(booking_participants.c.user_id == ada.id)).one()
    assert (seat.price_amount, seat.price_currency, seat.start_time) == (1500, "USD", START)
    assert scene.blocked(ada) == 1
    ((_type, data, _actor),) = scene.events("seat.joined")
    assert (data["seat_id"], data["price_amount"], data["seats_taken"]) == (str(seat.seat_id), 1500, 1)
    assert not scene.violations()


def test_the_last_seat_makes_the_group_full(db: Connection) -> None:
    scene = Scene(db, capacity=2)
    scene.join()
    assert not scene.events("group_session.full")
    assert scene.join().full
    ((_type, data, _actor),) = scene.events("group_session.full")
    assert (data["capacity"], data["seats_taken"]) == (2, 2)
    refused(Conflict, "group_full", scene.join)
    assert scene.present().seats_taken == 2


def test_no_participant_joins_twice(db: Connection) -> None:
    scene = Scene(db, capacity=1)
    ada = scene.person()
    scene.join(ada)
    # Full as well, but that is not what Ada needs to know.
    refused(Conflict, "already_joined", scene.join, ada)


def test_a_mentor_does_not_join_their_own_group(db: Connection) -> None:
    scene = Scene(db)
    of_mentor = User.query().where(User.table.c.id == scene.mentor.user_id)
    refused(Invalid, "invalid_request", scene.join, User.of(db.execute(of_mentor).one()))


def test_unknown_people_have_no_seat(db: Connection) -> None:
    scene = Scene(db)
    with pytest.raises(NotFound), db.begin_nested():
        join(
            db,
            actor=factories.OPERATOR,
            group=scene.group,
            mentee_user_id=uuid4(),
            bundle_purchase_id=None,
            now=NOW,
            policy=DEFAULT_POLICY,
        )


@pytest.mark.parametrize(
    ("status", "times"),
    [
        ("in_progress", ["started_at"]),
        ("completed", ["started_at", "completed_at"]),
        ("cancelled", ["cancelled_at"]),
    ],
)
def test_what_has_begun_or_is_cancelled_is_closed(db: Connection, status: str, times: list[str]) -> None:
    scene = Scene(db)
    ada = scene.person()
    scene.join(ada)
    with without_guards(db):
        db.execute(update(sessions).values(status=status, **dict.fromkeys(times, NOW)))
    refused(InvalidTransition, "invalid_transition", scene.join)
    refused(InvalidTransition, "invalid_transition", scene.leave, ada)


def test_from_the_start_on_a_group_is_closed(db: Connection) -> None:
    scene = Scene(db)
    ada = scene.person()
    scene.join(ada, now=START - TICK)
    refused(InvalidTransition, "invalid_transition", scene.join, now=START)
    refused(InvalidTransition, "invalid_transition", scene.leave, ada, now=START)


def test_a_group_without_its_session_yet_can_be_joined(db: Connection) -> None:
    scene = Scene(db)
    booking = factories.make_group(db, [], listing=scene.listing, start_time=START + timedelta(hours=3))
    assert scene.join(group=scene.present(booking.id)).seats_taken == 1


def test_a_person_who_is_booked_at_that_time_does_not_join(db: Connection) -> None:
    scene = Scene(db)
    ada = scene.person()
    other = factories.make_listing(db, booking_mode=BookingMode.INSTANT)
    factories.make_booking(db, listing=other, mentee=ada, start_time=START + timedelta(minutes=30))
    refusal = refused(Conflict, "slot_taken", scene.join, ada)
    assert refusal.details is not None
    assert "mentee" in refusal.details
    assert scene.join(ada, policy=OperatorPolicy(mentee_overlap=True)).seats_taken == 1
    assert not scene.violations()


def test_a_bundle_pays_for_a_seat(db: Connection) -> None:
    scene = Scene(db)
    ada = scene.person()
    bundle = scene.bundle(ada, session_count=3)
    scene.join(ada, bundle_purchase_id=bundle)
    assert scene.credits(bundle) == 2
    seat = db.execute(select(booking_participants).where(booking_participants.c.user_id == ada.id)).one()
    assert (seat.price_amount, seat.bundle_purchase_id, seat.product_id) == (0, bundle, None)


def test_a_bundle_that_does_not_pay_leaves_no_seat(db: Connection) -> None:
    scene = Scene(db)
    ada = scene.person()
    other = factories.make_bundle(db, course=factories.make_course(db), mentee=ada).id
    refusal = refused(Conflict, "bundle_unusable", scene.join, ada, bundle_purchase_id=other)
    assert refusal.details == {"bundlePurchaseId": ["other_course"]}
    refused(NotFound, "not_found", scene.join, ada, bundle_purchase_id=scene.bundle(scene.person()))
    refused(NotFound, "not_found", scene.join, ada, bundle_purchase_id=uuid4())
    assert (scene.present().seats_taken, scene.blocked(ada)) == (0, 0)


# Before the window's edge, at it, and after it.
@pytest.mark.parametrize(
    ("before_start", "late"),
    [(timedelta(hours=24) + TICK, False), (timedelta(hours=24), False), (timedelta(hours=24) - TICK, True)],
)
@pytest.mark.parametrize(
    ("price", "percent", "fee"),
    # Half up to the minor unit; nothing of nothing; none and all.
    [(1500, 50, 750), (333, 50, 167), (1, 50, 1), (0, 50, 0), (1500, 0, 0), (1500, 100, 1500)],
)
def test_a_late_seat_costs_the_policys_fee(
    db: Connection, before_start: timedelta, late: bool, price: int, percent: int, fee: int
) -> None:
    scene = Scene(db, terms={"price_amount": price, "late_fee_percent": percent})
    ada = scene.person()
    scene.join(ada)
    cost = scene.leave(ada, now=START - before_start, reason="Ill")
    kept = fee if late else 0
    assert (cost.late, cost.fee_amount, cost.refund_amount) == (late, kept, price - kept)
    assert (scene.present().seats_taken, scene.blocked(ada)) == (0, 0)
    ((_type, data, _actor),) = scene.events("seat.left")
    assert (data["late"], data["fee_amount"], data["refund_amount"]) == (late, kept, price - kept)
    assert "reason" not in data
    assert data["credit_returned"] is None
    stored = db.execute(select(seat_cancellations)).one()
    assert (stored.fee_amount, stored.refund_amount, stored.reason) == (kept, price - kept, "Ill")
    assert not scene.violations()


@pytest.mark.parametrize(
    ("hours", "percent", "returned"), [(25, 50, True), (24, 100, True), (23, 50, False), (23, 0, True)]
)
def test_a_credit_returns_unless_a_fee_is_due(db: Connection, hours: int, percent: int, returned: bool) -> None:
    scene = Scene(db, terms={"late_fee_percent": percent})
    ada = scene.person()
    bundle = scene.bundle(ada, session_count=3)
    scene.join(ada, bundle_purchase_id=bundle)
    cost = scene.leave(ada, now=START - timedelta(hours=hours))
    assert (cost.credit_returned, cost.fee_amount, cost.refund_amount) == (returned, 0, 0)
    assert scene.events("seat.left")[0].data["credit_returned"] is returned
    assert scene.credits(bundle) == (3 if returned else 2)


@pytest.mark.parametrize(
    ("how", "extended"), [("left", False), ("taken away", True), ("waived", True), ("cancelled", True)]
)
def test_a_seats_credit_extends_an_ended_bundle_unless_it_was_left_in_time(
    db: Connection, how: str, extended: bool
) -> None:
    scene = Scene(db)
    ada, end = scene.person(), NOW + timedelta(days=1)
    bundle = scene.bundle(ada, session_count=3, valid_days=1, at=NOW)
    scene.join(ada, bundle_purchase_id=bundle)
    at = NOW + timedelta(days=2)
    if how == "waived":
        late = START - timedelta(hours=1)
        scene.leave(ada, now=late)
        whose = {"booking_id": scene.group.id, "session_id": session_id_of(scene.group.id), "mentee_user_id": ada.id}
        waive_seat_fee(db, actor=factories.OPERATOR, reason="Goodwill", now=at, **whose)
    elif how == "cancelled":
        refund_all(db, group=scene.group, actor=factories.acting_mentor(scene.mentor), now=at)
    else:
        cost = scene.leave(ada, actor=None if how == "left" else factories.OPERATOR, now=at)
        assert cost.credit_valid_to == (at + timedelta(days=30) if extended else end)
    present = Bundle.of(db.execute(bundle_query(bundle)).one())
    valid_to = at + timedelta(days=30) if extended else end
    assert (present.remaining_sessions, present.valid_to) == (3, valid_to)
    told = scene.events("seat.left", "seat.refunded")[-1].data
    assert told["credit_valid_to"] == valid_to.isoformat()


@pytest.mark.parametrize("by_credit", [True, False])
@pytest.mark.parametrize("how", ["waived", "cancelled"])
def test_what_was_kept_of_a_late_seat_comes_back_once(db: Connection, how: str, by_credit: bool) -> None:
    scene = Scene(db)
    ada, lin = scene.person(), scene.person()
    bundle = scene.bundle(ada, session_count=3)
    for person in (ada, lin):
        scene.join(person, bundle_purchase_id=bundle if by_credit and person is ada else None)
        scene.leave(person, now=START - timedelta(hours=1))
    for _ in range(2):
        if how == "waived":
            waive_seat_fee(
                db,
                actor=factories.OPERATOR,
                booking_id=scene.group.id,
                session_id=session_id_of(scene.group.id),
                mentee_user_id=ada.id,
                reason="Goodwill",
                now=NOW,
            )
        else:
            refund_all(db, group=scene.group, actor=factories.OPERATOR, now=NOW)
    refunds = {data["user_id"]: data for _type, data, _actor in scene.events("seat.refunded")}
    of_ada = refunds.pop(str(ada.id))
    assert (of_ada["waived"], of_ada["refund_amount"]) == (True, 0 if by_credit else 750)
    assert of_ada["credit_returned"] is (True if by_credit else None)
    assert len(scene.events("seat.refunded")) == (1 if how == "waived" else 2)
    assert (str(lin.id) in refunds) == (how == "cancelled")
    assert scene.credits(bundle) == 3
    kept = db.execute(select(seat_cancellations).where(seat_cancellations.c.user_id == ada.id)).one()
    price = 0 if by_credit else 1500
    assert (kept.fee_amount, kept.refund_amount, kept.waived_at) == (0, price, NOW)


def test_a_policy_may_keep_participants_from_leaving(db: Connection) -> None:
    scene = Scene(db, terms={"cancellation_window_hours": None})
    ada = scene.person()
    scene.join(ada)
    refused(Conflict, "not_cancellable", scene.leave, ada)
    cost = scene.leave(ada, actor=factories.OPERATOR)
    assert (cost.fee_amount, cost.refund_amount) == (0, 1500)


def test_without_a_seat_there_is_nothing_to_leave(db: Connection) -> None:
    scene = Scene(db)
    ada = scene.person()
    refused(NotFound, "not_found", scene.leave, ada)
    scene.join(ada)
    scene.leave(ada)
    refused(NotFound, "not_found", scene.leave, ada)
    assert scene.present().seats_taken == 0


def test_who_left_joins_and_pays_again(db: Connection) -> None:
    scene = Scene(db)
    ada = scene.person()
    bundle = scene.bundle(ada, session_count=3)
    for _ in range(2):
        scene.join(ada, bundle_purchase_id=bundle)
        scene.leave(ada)
    scene.join(ada, bundle_purchase_id=bundle)
    assert (scene.credits(bundle), scene.present().seats_taken) == (2, 1)


def test_a_cancellation_refunds_every_participant(db: Connection) -> None:
    scene = Scene(db, capacity=3)
    ada, ben = scene.person(), scene.person()
    bundle = scene.bundle(ben, session_count=3)
    scene.join(ada)
    scene.join(ben, bundle_purchase_id=bundle)
    for _ in range(2):
        refund_all(db, group=scene.group, actor=factories.acting_mentor(scene.mentor), now=NOW)
    found = {data["user_id"]: data for _type, data, _actor in scene.events("seat.refunded")[:2]}
    assert (found[str(ada.id)]["refund_amount"], found[str(ada.id)]["credit_returned"]) == (1500, None)
    assert (found[str(ben.id)]["refund_amount"], found[str(ben.id)]["credit_returned"]) == (0, True)
    # A credit comes back once.
    assert scene.credits(bundle) == 3
    assert (scene.blocked(ada), scene.blocked(ben), scene.present().seats_taken) == (0, 0, 2)


def test_a_cancelled_session_refunds_its_group_durably(harness: Harness) -> None:
    with harness.transactions() as db:
        scene = Scene(db)
        ada, ben = scene.person(), scene.person()
        bundle = scene.bundle(ben, session_count=3)
        scene.join(ada)
        scene.join(ben, bundle_purchase_id=bundle)
    with harness.transactions() as db:
        query = session_with_terms_query(session_id_of(scene.group.id))
        session = SessionWithTerms.of(db.execute(query).one())
        cancel(db, actor=factories.acting_mentor(scene.mentor), session=session, reason="Ill", now=NOW)
    harness.run_all()
    with harness.engine.connect() as db:
        scene.db = db
        assert scene.credits(bundle) == 3
        assert {event.actor for event in scene.events("seat.refunded")} == {f"mentor:{scene.mentor.id}"}
    # One mail each, which has both: that it is cancelled, and what comes back.
    mails = [mail for mail in harness.mail.received if "cancelled" in mail.text]
    assert len(mails) == 3
    texts = {mail.to_address: mail.text for mail in mails}
    assert "Ill" in texts[ada.email]
    assert "The price of $15.00 will be refunded to you." in texts[ada.email]
    assert (
        "The session that you paid with goes back to your bundle. A bundle that has ended is extended by 30 days."
        in texts[ben.email]
    )
    del texts[ada.email], texts[ben.email]
    (of_mentor,) = texts.values()
    assert "All participants get back what they paid." in of_mentor


@pytest.mark.parametrize("how", ["void", "not_held"])
def test_a_group_that_was_not_held_refunds_everything(harness: Harness, how: str) -> None:
    with harness.transactions() as db:
        scene = Scene(db)
        ada, ben = scene.person(), scene.person()
        bundle = scene.bundle(ben, session_count=3)
        scene.join(ada)
        scene.join(ben, bundle_purchase_id=bundle)
    session_id = session_id_of(scene.group.id)
    with harness.transactions() as db:
        if how == "void":
            session = SessionWithTerms.of(db.execute(session_with_terms_query(session_id)).one())
            void(db, actor=factories.OPERATOR, session=session, reason="The room was locked.", now=NOW)
        else:
            cancel_not_held(db, now=scene.group.end_time + timedelta(hours=24) + TICK)
    harness.run_all()
    with harness.engine.connect() as db:
        scene.db = db
        cancelled = db.execute(select(sessions).where(sessions.c.id == session_id)).one()
        assert (cancelled.status, cancelled.cancellation["type"]) == ("cancelled", how)
        assert [cancelled.cancellation[name]["amount"] for name in ("fee", "refund")] == [0, 1500]
        refunds = {data["user_id"]: data for _type, data, _actor in scene.events("seat.refunded")}
        assert (refunds[str(ada.id)]["refund_amount"], refunds[str(ben.id)]["credit_returned"]) == (1500, True)
        assert (scene.credits(bundle), scene.blocked(ada), scene.blocked(ben)) == (3, 0, 0)
        assert not scene.violations()


def test_an_individual_cancellation_refunds_no_seats(harness: Harness) -> None:
    with harness.transactions() as db:
        session = factories.make_session(db)
        terms = SessionWithTerms.of(db.execute(session_with_terms_query(session.id)).one())
        cancel(db, actor=factories.OPERATOR, session=terms, reason="Ill", now=NOW)
    with harness.engine.connect() as db:
        refunds = select(func.count()).select_from(deliveries).where(deliveries.c.effect == "seats.refund")
        assert db.scalar(refunds) == 0


def test_seats_beyond_the_capacity_are_not_taken(db: Connection) -> None:
    scene = Scene(db, capacity=2)
    scene.join()
    db.execute(update(group_sessions).values(capacity=1))
    refused(Conflict, "group_full", scene.join)
