"""A payment that is confirmed, lapses and is cancelled at one time: one of them decides, and no money is lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, select

from models.calendar import person_busy
from models.catalog import BookingMode
from models.payments import PaymentMode
from tests import factories
from tests.application import World, as_operator, as_user
from tests.concurrency.racing import ROUNDS, Race, codes, meanwhile
from tests.queries import broken_invariants
from workflows.bookings.actions import cancel
from workflows.bookings.direct import WantedListing, book_directly
from workflows.bookings.records import Booking, booking_query
from workflows.bookings.series import Recurrence, Series
from workflows.groups.place import read_group, read_place
from workflows.groups.records import Group
from workflows.groups.seats import join, leave
from workflows.groups.waitlist import join_waitlist
from workflows.identity.actor import Actor
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.payments.records import PAYMENT, Payment
from workflows.settlements.actions import confirm, grant_refund, lapse, waive

Step = Callable[[Connection, UUID, UUID], object]


def _present(db: Connection, payment_id: UUID) -> Payment:
    return Payment.of(db.execute(PAYMENT, {"id": payment_id}).one())


def _confirms(db: Connection, payment_id: UUID, _booking_id: UUID, reference: str = "") -> Payment:
    payment, named = _present(db, payment_id), reference or f"pi_{payment_id}"
    now, amount, currency = datetime.now(UTC), payment.amount, payment.currency
    return confirm(
        db, actor=factories.OPERATOR, payment=payment, reference=named, amount=amount, currency=currency, now=now
    )


def _lapses(db: Connection, payment_id: UUID, _booking_id: UUID) -> None:
    payment = _present(db, payment_id)
    lapse(db, payment=payment, now=payment.due_at)


def _cancels(db: Connection, _payment_id: UUID, booking_id: UUID) -> Booking:
    booking = Booking.of(db.execute(booking_query(booking_id)).one())
    assert booking.mentee_user_id is not None
    mentee = Actor.person(booking.mentee_user_id, None)
    return cancel(db, actor=mentee, booking=booking, reason=None, now=datetime.now(UTC))


def _waives(db: Connection, payment_id: UUID, _booking_id: UUID) -> Payment:
    payment = _present(db, payment_id)
    return waive(db, actor=factories.OPERATOR, payment=payment, reason="Goodwill", now=datetime.now(UTC))


def _step(step: Step, payment_id: UUID, booking_id: UUID, db: Connection) -> object:
    return step(db, payment_id, booking_id)


def _waiting(engine: Engine, rounds: int) -> list[tuple[UUID, UUID]]:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        made = [factories.make_prepaid_booking(db, listing=listing, mentee=mentee) for _ in range(rounds)]
    return [(booking.payment.id, booking.id) for booking in made if booking.payment is not None]


@pytest.mark.parametrize(
    "steps",
    [(_confirms, _lapses), (_confirms, _cancels), (_lapses, _cancels), (_confirms, _lapses, _cancels)],
    ids=["confirm and lapse", "confirm and cancel", "lapse and cancel", "all three"],
)
def test_one_of_them_decides(engine: Engine, race: Race, steps: tuple[Step, ...]) -> None:
    orders = list(permutations(steps))
    for number, (payment_id, booking_id) in enumerate(_waiting(engine, ROUNDS)):
        calls = [partial(_step, step, payment_id, booking_id) for step in orders[number % len(orders)]]
        refused = codes(race.transact(calls))
        assert set(refused) <= {"invalid_transition"}
        _require_one_outcome(engine, payment_id, booking_id, confirmed=_confirms in steps)
    # Nobody makes their sessions here.
    assert broken_invariants(engine) <= {"accepted_booking_without_session", "delivery_long_overdue"}


def _require_one_outcome(engine: Engine, payment_id: UUID, booking_id: UUID, *, confirmed: bool) -> None:
    with engine.begin() as db:
        payment = _present(db, payment_id)
        booking = Booking.of(db.execute(booking_query(booking_id)).one())
        blocks = db.execute(select(func.count()).where(person_busy.c.booking_id == booking_id)).scalar_one()
    assert (payment.status == "paid") is confirmed
    if booking.status == "accepted":
        assert (payment.status, payment.refund_due, blocks) == ("paid", 0, 2)
        return
    # The time is free, and money that came all the same is to go back.
    assert (booking.status, blocks, payment.refund_due) == ("cancelled", 0, payment.charged)
    if not confirmed:
        assert payment.status == ("lapsed" if booking.cancel_reason == "unpaid" else "cancelled")


@pytest.mark.parametrize("others", [(_confirms, _cancels), (_lapses, _cancels), (_confirms, _lapses)])
def test_a_waiver_gives_it_or_comes_too_late(engine: Engine, race: Race, others: tuple[Step, ...]) -> None:
    orders = list(permutations((_waives, *others)))
    for number, (payment_id, booking_id) in enumerate(_waiting(engine, ROUNDS)):
        calls = [partial(_step, step, payment_id, booking_id) for step in orders[number % len(orders)]]
        assert set(codes(race.transact(calls))) <= {"invalid_transition"}
        with engine.begin() as db:
            payment = _present(db, payment_id)
            given = Booking.of(db.execute(booking_query(booking_id)).one()).status == "accepted"
        assert payment.refund_due == (0 if given else payment.charged)
        assert payment.status in (("paid", "waived") if given else ("paid", "lapsed", "cancelled"))


def _book_series(engine: Engine) -> tuple[Series, Payment]:
    """A series of two bookings that await their one payment."""
    with engine.begin() as db:
        listing = factories.make_listing(db, booking_mode=BookingMode.INSTANT, payment_mode=PaymentMode.BEFORE)
        _first, series = book_directly(
            db,
            actor=factories.acting_user(factories.make_user(db)),
            wanted=WantedListing(mentor_profile_id=listing.mentor_profile_id, listing_id=listing.id),
            scheduled_at=factories.next_slot(),
            recurrence=Recurrence(count=2),
            now=datetime.now(UTC),
        )
    assert series is not None
    payment = series.made[0].payment
    assert payment is not None
    return series, payment


def test_of_a_series_each_booking_is_given_or_goes_back(engine: Engine, race: Race) -> None:
    for number in range(ROUNDS):
        series, payment = _book_series(engine)
        ids = [booking.id for booking in series.made]
        steps = [
            partial(_step, _confirms, payment.id, ids[0]),
            *(partial(_step, _cancels, payment.id, id) for id in ids),
        ]
        if number % 2:
            steps = [partial(_step, _lapses, payment.id, ids[0]), *steps]
        assert set(codes(race.transact(steps))) <= {"invalid_transition"}
        with engine.begin() as db:
            paid = _present(db, payment.id)
            ended = [Booking.of(db.execute(booking_query(id)).one()).status == "cancelled" for id in ids]
        assert (paid.status, paid.refund_due) == ("paid", 4000 * sum(ended))


def test_a_series_that_is_paid_while_it_is_cancelled_is_kept(engine: Engine) -> None:
    series, payment = _book_series(engine)
    client, mentee = World.on(engine).client, as_user(payment.user_id)
    answer = meanwhile(
        engine,
        lambda db: _confirms(db, payment.id, payment.id),
        lambda _db: client.post(f"/series/{series.id}/cancel", json={"reason": "Ill"}, headers=mentee),
    )
    kept = [{"bookingId": str(booking.id), "code": "session_pending"} for booking in series.made]
    assert answer.json == {"cancelled": [], "kept": kept}


def test_of_two_confirmations_one_pays(engine: Engine, race: Race) -> None:
    for payment_id, booking_id in _waiting(engine, ROUNDS):
        same = [partial(_confirms, payment_id=payment_id, _booking_id=booking_id)] * 2
        other = partial(_confirms, payment_id=payment_id, _booking_id=booking_id, reference=f"other {payment_id}")
        refused = codes(race.transact([*same, other]))
        assert refused in (["already_paid"], ["already_paid", "already_paid"])
        with engine.begin() as db:
            assert _present(db, payment_id).charged == 4000


def test_of_two_refunds_of_the_whole_one_is_granted(engine: Engine, race: Race) -> None:
    def grants(db: Connection, payment_id: UUID) -> Payment:
        payment = _present(db, payment_id)
        amount, now = payment.charged - 1, datetime.now(UTC)
        return grant_refund(
            db,
            actor=factories.OPERATOR,
            payment=payment,
            amount=amount,
            currency="USD",
            reason="Goodwill",
            any_version=True,
            now=now,
        )

    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        paid = [factories.make_payment(db, listing=listing, mentee=mentee).id for _ in range(ROUNDS)]
    for payment_id in paid:
        assert codes(race.transact([partial(grants, payment_id=payment_id)] * 2)) == ["refund_exceeds_payment"]


def test_a_refund_of_a_version_is_refused_once_another_is_granted(engine: Engine) -> None:
    with engine.begin() as db:
        paid = factories.make_payment(db)
    client, body = World.on(engine).client, {"amount": {"amount": 100, "currency": "USD"}, "reason": "Goodwill"}
    seen = {**as_operator(), "If-Match": f'"{paid.version}"'}
    granted = partial(
        grant_refund, actor=factories.OPERATOR, payment=paid, amount=100, currency="USD", reason="Goodwill"
    )
    refused = meanwhile(
        engine,
        lambda db: granted(db, now=datetime.now(UTC)),
        lambda _db: client.post(f"/payments/{paid.id}/refunds", json=body, headers=seen),
    )
    assert (refused.status_code, refused.json["code"]) == (412, "stale")
    with engine.begin() as db:
        assert _present(db, paid.id).refund_due == paid.refund_due + 100


def _joins(db: Connection, group_id: UUID, actor: Actor, *, offered_only: bool = False) -> Group:
    assert actor.user_id is not None
    return join(
        db,
        actor=actor,
        group=read_group(db, group_id),
        mentee_user_id=actor.user_id,
        bundle_purchase_id=None,
        offered_only=offered_only,
        policy=DEFAULT_POLICY,
        now=datetime.now(UTC),
    )


def _leaves(db: Connection, group_id: UUID, actor: Actor) -> object:
    assert actor.user_id is not None
    about: dict[str, Any] = {"actor": actor, "mentee_user_id": actor.user_id, "reason": None, "now": datetime.now(UTC)}
    return leave(db, group=read_group(db, group_id), **about, policy=DEFAULT_POLICY)


def _waits(db: Connection, group_id: UUID, actor: Actor) -> object:
    return join_waitlist(db, actor=actor, group=read_group(db, group_id), now=datetime.now(UTC), policy=DEFAULT_POLICY)


def _confirms_seat(db: Connection, payment_id: UUID) -> Payment:
    return _confirms(db, payment_id, payment_id)


def _lapses_seat(db: Connection, payment_id: UUID) -> None:
    _lapses(db, payment_id, payment_id)


def test_of_the_last_seat_one_person_takes_part_and_other_money_goes_back(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, payment_mode=PaymentMode.BEFORE)
        mentees = [factories.make_user(db) for _ in range(3)]
    payer, waiting, joining = (factories.acting_user(each) for each in mentees)
    for number in range(ROUNDS):
        with engine.begin() as db:
            begin = factories.this_hour() + timedelta(days=3, hours=2 * number)
            group_id = factories.make_group(db, [], listing=listing, start_time=begin, capacity=1).id
            payment = _joins(db, group_id, payer).payment
            _waits(db, group_id, waiting)
        assert payment is not None
        ends = (
            partial(_leaves, group_id=group_id, actor=payer)
            if number % 2
            else partial(_lapses_seat, payment_id=payment.id)
        )
        calls = [
            partial(_confirms_seat, payment_id=payment.id),
            ends,
            partial(_joins, group_id=group_id, actor=waiting, offered_only=True),
            partial(_joins, group_id=group_id, actor=joining),
        ]
        shift = number % len(calls)
        refused = codes(race.transact([*calls[shift:], *calls[:shift]]))
        assert set(refused) <= {"no_offer", "group_full", "not_found", "already_joined"}
        with engine.begin() as db:
            paid, group = _present(db, payment.id), read_group(db, group_id)
            place = read_place(db, group_id, mentees[0].id)
            others = [read_place(db, group_id, each.id) for each in mentees[1:]]
        assert group.seats_taken + group.seats_offered <= 1
        assert (paid.status, place.is_kept) == ("paid", False)
        if place.has_seat:
            assert (paid.refund_due, [other.is_kept for other in others]) == (0, [False, False])
        else:
            assert paid.refund_due == paid.charged or number % 2
        assert not any(other.has_seat for other in others)
    # Nobody makes their sessions here.
    assert broken_invariants(engine) <= {"accepted_booking_without_session", "delivery_long_overdue"}
