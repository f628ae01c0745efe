"""Tests of what cancelling costs: a table of who cancels when, and the rounding of fees."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.payments import PaymentMode
from models.sessions import SessionStatus
from models.terms import RescheduleMode
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Forbidden
from workflows.sessions.cancel import as_stored, quote_for, require_allowed
from workflows.sessions.records import SessionWithTerms

START = datetime(2030, 5, 4, 9, tzinfo=UTC)
MENTOR, MENTEE = uuid4(), uuid4()
AS = {
    "mentee": Actor.person(MENTEE, None),
    "mentor": Actor.person(uuid4(), MENTOR),
    "operator": Actor(operator=True, name="operator:o"),
}


def a_session(**changed: Any) -> SessionWithTerms:
    """A scheduled session for 40 dollars that costs half within 24 hours."""
    values: dict[str, Any] = dict.fromkeys(
        ("course_id", "title", "description", "notes", "metadata", "rating", "feedback", "action_items")
    )
    values |= dict.fromkeys(("started_at", "completed_at", "cancelled_at", "cancellation", "location", "room"))
    values |= {"id": uuid4(), "booking_id": uuid4(), "mentor_profile_id": MENTOR, "mentee_user_id": MENTEE}
    values |= {"start_time": START, "end_time": START + timedelta(hours=1), "status": SessionStatus.SCHEDULED}
    values |= {"created_at": START - timedelta(days=100), "updated_at": START, "version": 1}
    values |= {"price_amount": 4000, "price_currency": "USD", "cancellation_window_hours": 24, "late_fee_percent": 50}
    values |= {"early_start_minutes": 15, "buffer_before_minutes": 0, "buffer_minutes": 0, "reminder_minutes": None}
    values |= {"bundle_purchase_id": None, "bundle_valid_to": None, "series_id": None}
    values |= {"payment_mode": PaymentMode.NONE, "no_show_fee_percent": 100}
    values |= {"reschedule_mode": RescheduleMode.OFF, "reschedule_window_hours": 24, "reschedule_max_times": 2}
    values |= {"rescheduled_from": None, "reschedule_count": 0}
    return SessionWithTerms(**(values | changed))


@pytest.mark.parametrize(
    ("who", "hours_before", "late", "fee"),
    [
        # A mentee before the window pays nothing, at its very edge included.
        ("mentee", 48, False, 0),
        ("mentee", 24, False, 0),
        # Inside the window the fee is due, and after the start too.
        ("mentee", 23.99, True, 2000),
        ("mentee", 0, True, 2000),
        ("mentee", -1, True, 2000),
        # The mentor and operators pay nothing at any time.
        ("mentor", 0, False, 0),
        ("operator", 0, False, 0),
    ],
)
def test_only_a_mentee_inside_the_window_pays(who: str, hours_before: float, late: bool, fee: int) -> None:
    quote = quote_for(AS[who], a_session(), now=START - timedelta(hours=hours_before))
    assert (quote.cancelled_by, quote.allowed, quote.late, quote.fee_amount) == (who, True, late, fee)
    assert quote.refund_amount == 4000 - fee


@pytest.mark.parametrize(
    ("who", "hours_before", "percent", "returned"),
    [
        ("mentee", 24, 50, True),
        ("mentee", 23.99, 50, False),
        ("mentee", 0, 1, False),
        # Without a fee a late cancellation costs no credit.
        ("mentee", 0, 0, True),
        ("mentor", 0, 100, True),
        ("operator", 0, 100, True),
    ],
)
def test_a_late_cancellation_with_a_fee_costs_the_credit(
    who: str, hours_before: float, percent: int, returned: bool
) -> None:
    paid = a_session(bundle_purchase_id=uuid4(), price_amount=0, late_fee_percent=percent)
    quote = quote_for(AS[who], paid, now=START - timedelta(hours=hours_before))
    assert (quote.credit_returned, quote.fee_amount, quote.refund_amount) == (returned, 0, 0)
    stored = as_stored(quote, reason="Ill", kind="other", refund_requested=False)
    assert stored["creditReturned"] is returned


@pytest.mark.parametrize(
    ("accepted", "window", "cancelled", "late"),
    [
        # Hours before the start, of a policy of so many hours.
        (10, 24, 9, False),
        (10, 24, 8.99, True),
        (10, 720, 9, False),
        (0.5, 24, 0, False),
        (0.5, 24, -0.01, True),
        (30, 24, 24, False),
        (30, 24, 23.99, True),
        (10, 0, 0, False),
    ],
)
def test_an_hour_after_the_acceptance_nothing_is_due(
    accepted: float, window: int, cancelled: float, late: bool
) -> None:
    session = a_session(created_at=START - timedelta(hours=accepted), cancellation_window_hours=window)
    quote = quote_for(AS["mentee"], session, now=START - timedelta(hours=cancelled))
    assert (quote.late, quote.fee_amount, quote.refund_amount) == (late, 2000 * late, 4000 - 2000 * late)
    last = min(START, max(START - timedelta(hours=window), session.created_at + timedelta(hours=1)))
    assert quote.free_until == last
    paid = a_session(**{**vars(session), "bundle_purchase_id": uuid4(), "price_amount": 0})
    assert quote_for(AS["mentee"], paid, now=START - timedelta(hours=cancelled)).credit_returned is not late


def test_no_hour_after_the_acceptance_where_none_may_cancel() -> None:
    accepted = START - timedelta(hours=10)
    session = a_session(created_at=accepted, cancellation_window_hours=None)
    quote = quote_for(AS["mentee"], session, now=accepted)
    assert (quote.allowed, quote.free_until) == (False, None)


def test_no_credit_returns_where_none_paid_or_none_may_cancel() -> None:
    assert quote_for(AS["mentee"], a_session(), now=START).credit_returned is None
    paid = a_session(bundle_purchase_id=uuid4(), cancellation_window_hours=None)
    assert quote_for(AS["mentee"], paid, now=START).credit_returned is False


def test_a_window_of_no_hours_is_open_until_the_start() -> None:
    session = a_session(cancellation_window_hours=0)
    assert not quote_for(AS["mentee"], session, now=START).late
    assert quote_for(AS["mentee"], session, now=START + timedelta(seconds=1)).late


@pytest.mark.parametrize(("who", "allowed"), [("mentee", False), ("mentor", True), ("operator", True)])
def test_without_a_window_the_mentee_cannot_cancel(who: str, allowed: bool) -> None:
    quote = quote_for(AS[who], a_session(cancellation_window_hours=None), now=START - timedelta(days=9))
    assert (quote.allowed, quote.refund_amount) == (allowed, 4000 if allowed else 0)
    if not allowed:
        with pytest.raises(Conflict) as refusal:
            require_allowed(quote)
        assert refusal.value.code == "not_cancellable"


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled"])
@pytest.mark.parametrize("who", AS)
def test_what_is_no_longer_scheduled_is_not_quoted_for(who: str, status: str) -> None:
    quote = quote_for(AS[who], a_session(status=SessionStatus(status)), now=START)
    assert (quote.allowed, quote.late, quote.fee_amount, quote.refund_amount) == (False, False, 0, 0)


@pytest.mark.parametrize(("price", "percent", "fee"), [(1, 50, 1), (3, 50, 2), (99, 33, 33), (0, 100, 0), (7, 0, 0)])
def test_a_fee_is_rounded_half_up_to_the_minor_unit(price: int, percent: int, fee: int) -> None:
    session = a_session(price_amount=price, late_fee_percent=percent)
    assert quote_for(AS["mentee"], session, now=START).fee_amount == fee


@given(price=st.integers(0, 2**53), percent=st.integers(0, 100))
def test_fee_and_refund_are_the_price(price: int, percent: int) -> None:
    quote = quote_for(AS["mentee"], a_session(price_amount=price, late_fee_percent=percent), now=START)
    assert 0 <= quote.fee_amount <= price
    assert quote.fee_amount + quote.refund_amount == price


@pytest.mark.parametrize(("asked", "refund"), [(True, 2000), (False, 0)])
def test_a_refund_is_given_when_it_is_asked_for(asked: bool, refund: int) -> None:
    quote = quote_for(AS["mentee"], a_session(), now=START)
    stored = as_stored(quote, reason="Ill", kind="emergency", refund_requested=asked)
    assert (stored["refund"], stored["refundRequested"]) == ({"amount": refund, "currency": "USD"}, asked)
    assert stored["policy"] == {"windowHours": 24, "lateFeePercent": 50}


def test_a_stranger_has_no_quote() -> None:
    with pytest.raises(Forbidden):
        quote_for(Actor.person(uuid4(), None), a_session(), now=START)
