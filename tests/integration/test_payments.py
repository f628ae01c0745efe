"""Tests of what follows from payments: the timer that ends the wait, and what people are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models.bookings import BookingStatus
from models.catalog import BookingMode, ProductKind
from models.notifications import Channel, notifications
from models.payments import PaymentMode
from tests import factories
from tests.integration.harness import Harness
from workflows.analytics.scope import Scope, period_of
from workflows.analytics.transition_times import Transition, histograms_of, transition_times_query
from workflows.bookings.records import Booking, booking_query
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle, locked
from workflows.events.delivery import DeliveryKey
from workflows.kernel.errors import InvalidTransition
from workflows.payments.actions import PAY_WITHIN
from workflows.payments.records import Payment, PaymentOfRefund
from workflows.settlements.actions import complete_refund, confirm, lapse, waive


def told(harness: Harness) -> dict[tuple[str, str], tuple[str, str]]:
    """The notifications in the application, by the name of their reader and their kind."""
    with harness.engine.begin() as db:
        seen = notifications.c.channel == Channel.IN_APP
        rows = db.execute(select(notifications).where(seen))
        return {(str(row.user_id), row.kind): (row.title, row.body) for row in rows}


def waiting(harness: Harness, mode: BookingMode = BookingMode.INSTANT) -> Booking:
    """A booking that awaits its payment; of a request, since its mentor accepted it."""
    with harness.engine.begin() as db:
        listing = factories.make_listing(db, booking_mode=mode, payment_mode=PaymentMode.BEFORE)
        booking = factories.make_booking(db, listing=listing)
    if mode is BookingMode.INSTANT:
        return booking
    harness.run_all("notifications")
    with harness.engine.begin() as db:
        return factories.accept_booking(db, booking)


def present(harness: Harness, booking: Booking) -> Booking:
    with harness.engine.begin() as db:
        return Booking.of(db.execute(booking_query(booking.id)).one())


def pay(harness: Harness, payment: Payment, *, now: datetime | None = None) -> Payment:
    with harness.engine.begin() as db:
        return confirm(
            db,
            actor=factories.OPERATOR,
            payment=payment,
            reference=f"pi_{payment.id}",
            amount=payment.amount,
            currency=payment.currency,
            now=now or datetime.now(UTC),
        )


def timer(harness: Harness) -> DeliveryKey:
    return harness.key("payments.lapse")


@pytest.mark.parametrize("mode", BookingMode)
def test_a_payment_that_does_not_arrive_lapses_by_its_timer(harness: Harness, mode: BookingMode) -> None:
    booking = waiting(harness, mode)
    assert booking.payment is not None
    assert abs(harness.row(timer(harness)).due_at - booking.payment.due_at) < timedelta(seconds=1)
    harness.make_due(timer(harness))
    harness.deliver("payments.lapse")
    ended = present(harness, booking)
    assert (ended.status, ended.cancel_reason) == ("cancelled", "unpaid")
    assert ended.payment is not None
    assert ended.payment.status == "lapsed"
    harness.run_all("notifications")
    found = told(harness)
    title, body = found[str(booking.mentee_user_id), "payment_lapsed"]
    assert title == "Your payment for the session with Grace Hopper did not arrive in time"
    assert "$40.00" in body
    ends = [(kind, words) for (_user, kind), words in found.items() if kind == "booking_cancelled"]
    # A mentor who has not been asked needs not know.
    assert len(ends) == (0 if mode is BookingMode.INSTANT else 1)
    assert all("was not paid in time" in words[1] for _kind, words in ends)


def test_a_timer_finds_a_payment_that_has_arrived(harness: Harness) -> None:
    booking = waiting(harness)
    assert booking.payment is not None
    pay(harness, booking.payment)
    harness.make_due(timer(harness))
    harness.deliver("payments.lapse")
    assert present(harness, booking).status == "accepted"


@pytest.mark.parametrize("mode", BookingMode)
def test_a_payment_takes_no_time_of_the_mentors_decision(harness: Harness, mode: BookingMode) -> None:
    booking = waiting(harness, mode)
    assert booking.payment is not None
    pay(harness, booking.payment)
    harness.run_all("sessions")
    today = datetime.now(UTC).date()
    period = period_of(today - timedelta(1), today + timedelta(1), "UTC", now=datetime.now(UTC))
    with harness.engine.begin() as db:
        found = histograms_of(db.execute(transition_times_query(period=period, scope=Scope())).all())
    times = {each.transition: (each.count, each.milliseconds) for each in found if each.count}
    decided = (booking.payment.created_at - booking.created_at) // timedelta(milliseconds=1)
    assert Transition.ACCEPTANCE_TO_SESSION in times
    assert times.get(Transition.REQUEST_TO_DECISION) == (None if mode is BookingMode.INSTANT else (1, decided))


def test_the_payer_is_told_what_is_due_and_what_arrived(harness: Harness) -> None:
    booking = waiting(harness)
    assert booking.payment is not None
    harness.run_all("notifications")
    due, body = told(harness)[str(booking.mentee_user_id), "payment_due"]
    assert due == "Pay $40.00 for the session with Grace Hopper"
    assert "is awaited until" in body
    pay(harness, booking.payment)
    harness.run_all()
    found = told(harness)
    received = found[str(booking.mentee_user_id), "payment_received"]
    assert received[0] == "Your payment of $40.00 has arrived"
    assert "too late" not in received[1]
    # The mentor of an instant listing is told of the session alone.
    assert {kind for user, kind in found if user != str(booking.mentee_user_id)} == {"session_created"}


def test_who_pays_too_late_is_told_that_it_goes_back(harness: Harness) -> None:
    booking = waiting(harness)
    assert booking.payment is not None
    with harness.engine.begin() as db:
        lapse(db, payment=booking.payment, now=booking.payment.due_at)
    paid = pay(harness, booking.payment)
    with harness.engine.begin() as db:
        refund = PaymentOfRefund(**vars(paid), refund_id=paid.refunds[0].id)
        complete_refund(db, actor=factories.OPERATOR, payment=refund, reference="re_1", now=datetime.now(UTC))
    harness.run_all("notifications")
    found = told(harness)
    assert "It arrived too late" in found[str(booking.mentee_user_id), "payment_received"][1]
    assert found[str(booking.mentee_user_id), "refund_sent"][0] == "$40.00 go back to you"


def test_money_after_the_start_is_late_even_before_the_timer_has_run(harness: Harness) -> None:
    booking = waiting(harness)
    assert booking.payment is not None
    paid = pay(harness, booking.payment, now=booking.start_time + timedelta(minutes=1))
    assert (paid.status, paid.refund_due) == ("paid", paid.amount)
    assert present(harness, booking).cancel_reason == "unpaid"


def buy(harness: Harness, *, pay_within: timedelta = PAY_WITHIN, now: datetime, **product: Any) -> Bundle:
    """A bundle of five sessions that awaits its payment."""
    with harness.engine.begin() as db:
        course, mentee = factories.make_course(db), factories.make_user(db)
        columns: dict[str, Any] = {"session_count": 5, "payment_mode": PaymentMode.BEFORE, **product}
        sold = factories.make_product(db, course, ProductKind.BUNDLE, **columns)
        return purchase(
            db,
            actor=factories.acting_user(mentee),
            course_id=course.id,
            product_id=sold.id,
            mentee_user_id=mentee.id,
            now=now,
            pay_within=pay_within,
        )


def test_the_buyer_of_a_bundle_is_told(harness: Harness) -> None:
    bundle = buy(harness, now=datetime.now(UTC))
    harness.run_all("notifications")
    assert set(told(harness)) == {(str(bundle.mentee_user_id), "payment_due")}
    assert bundle.payment is not None
    pay(harness, bundle.payment)
    harness.run_all("notifications")
    assert {kind for _user, kind in told(harness)} == {"payment_due", "payment_received", "bundle_purchased"}


def test_what_has_begun_is_not_given_by_a_waiver_either(harness: Harness) -> None:
    booking = waiting(harness)
    assert booking.payment is not None
    begun = booking.start_time + timedelta(minutes=1)
    with harness.engine.begin() as db, pytest.raises(InvalidTransition):
        waive(db, actor=factories.OPERATOR, payment=booking.payment, reason="Goodwill", now=begun)
    assert present(harness, booking).status is BookingStatus.AWAITING_PAYMENT


def test_money_after_the_end_of_a_bundle_goes_back(harness: Harness) -> None:
    now = datetime.now(UTC)
    bundle = buy(harness, valid_days=1, pay_within=timedelta(days=30), now=now)
    assert bundle.payment is not None
    assert bundle.payment.due_at == bundle.valid_to == now + timedelta(days=1)
    paid = pay(harness, bundle.payment, now=now + timedelta(days=1))
    assert (paid.status, paid.refund_due) == ("paid", paid.amount)
    with harness.engine.begin() as db:
        assert locked(db, bundle.id).remaining_sessions == 0
