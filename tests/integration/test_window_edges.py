"""Cancelling around the edge of a policy's window: fees, refunds and credits, in currencies of any minor unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from models.bundles import bundle_entries, bundle_purchases
from tests import factories
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bookings.records import Booking
from workflows.bundles.records import Bundle
from workflows.identity.actor import Actor
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel
from workflows.sessions.records import accepted_session

NOW = datetime(2030, 5, 1, 9, tzinfo=UTC)
START = NOW + timedelta(days=5)
WINDOW = timedelta(hours=24)
MOMENT = timedelta(microseconds=1)
# Until the edge it costs nothing; the first moment inside the window is late.
EDGES = [(-MOMENT, False), (timedelta(0), False), (MOMENT, True)]


@dataclass(frozen=True)
class Booked:
    """A session five days ahead that the mentee may cancel for nothing until a day before."""

    booking: Booking
    bundle: Bundle | None

    @classmethod
    def by_product(cls, db: Connection, amount: int, currency: str, percent: int) -> Booked:
        return cls(_book(db, percent, price_amount=amount, price_currency=currency), None)

    @classmethod
    def by_bundle(cls, db: Connection, percent: int) -> Booked:
        course, mentee = factories.make_course(db), factories.make_user(db)
        bundle = factories.make_bundle(db, course=course, mentee=mentee, session_count=1, at=NOW)
        return cls(_book(db, percent, course=course, mentee=mentee, bundle=bundle), bundle)

    def cancel(self, db: Connection, after_edge: timedelta) -> dict[str, Any]:
        """The mentee's cancellation, with a refund requested, so long after the edge of the window."""
        assert self.booking.session_id is not None
        assert self.booking.mentee_user_id is not None
        session = accepted_session(db, self.booking.session_id)
        mentee = Actor.person(self.booking.mentee_user_id, None)
        at = START - WINDOW + after_edge
        cancelled = cancel(db, actor=mentee, session=session, reason="Ill", refund_requested=True, now=at)
        assert cancelled.cancellation is not None
        return cancelled.cancellation

    def credits(self, db: Connection) -> tuple[int, list[str]]:
        """The bundle's remaining credits, and the kinds of its entries in their order."""
        assert self.bundle is not None
        left = select(bundle_purchases.c.remaining_sessions).where(bundle_purchases.c.id == self.bundle.id)
        kinds = select(bundle_entries.c.kind).where(bundle_entries.c.bundle_purchase_id == self.bundle.id)
        return db.scalar(left) or 0, [str(kind) for kind in db.scalars(kinds.order_by(bundle_entries.c.sequence))]


def _book(
    db: Connection, percent: int, *, course: Any = None, mentee: Any = None, bundle: Bundle | None = None, **price: Any
) -> Booking:
    course = course or factories.make_course(db)
    factories.make_listing(db, course_id=course.id, cancellation_window_hours=24, late_fee_percent=percent)
    if bundle is None:
        factories.make_product(db, course, **price)
    wanted = IndividualRequest(
        course_id=course.id,
        start_time=START,
        duration_minutes=60,
        bundle_purchase_id=bundle.id if bundle else None,
    )
    actor = factories.acting_user(mentee or factories.make_user(db))
    booking, _series = book_individual(db, actor=actor, wanted=wanted, now=NOW)
    create(db, booking_id=booking.id)
    return booking


@pytest.mark.parametrize(("after_edge", "late"), EDGES)
def test_a_fee_is_due_from_the_first_moment_inside_the_window(
    db: Connection, after_edge: timedelta, late: bool
) -> None:
    kept = Booked.by_product(db, 4001, "EUR", 50).cancel(db, after_edge)
    fee = 2001 if late else 0
    assert (kept["late"], kept["fee"]["amount"], kept["refund"]["amount"]) == (late, fee, 4001 - fee)
    assert kept["creditReturned"] is None


@pytest.mark.parametrize(
    ("amount", "currency", "percent", "fee"),
    [
        # Half up to the minor unit: the yen has none, the dinar has three decimals.
        (4001, "EUR", 50, 2001),
        (1, "JPY", 50, 1),
        (3333, "JPY", 33, 1100),
        (12_345, "KWD", 10, 1235),
        (12_344, "KWD", 10, 1234),
        (0, "EUR", 100, 0),
        (0, "EUR", 50, 0),
        (4001, "EUR", 0, 0),
        (4001, "EUR", 100, 4001),
    ],
)
def test_late_fees_of_prices_percentages_and_currencies(
    db: Connection, amount: int, currency: str, percent: int, fee: int
) -> None:
    kept = Booked.by_product(db, amount, currency, percent).cancel(db, MOMENT)
    assert kept["late"] is True
    assert kept["fee"] == {"amount": fee, "currency": currency}
    assert kept["refund"] == {"amount": amount - fee, "currency": currency}


@pytest.mark.parametrize(("after_edge", "late"), EDGES)
@pytest.mark.parametrize("percent", [0, 50, 100])
def test_a_credit_is_the_fee_of_a_late_cancellation(
    db: Connection, after_edge: timedelta, late: bool, percent: int
) -> None:
    booked = Booked.by_bundle(db, percent)
    assert booked.credits(db) == (0, ["purchase", "spend"])
    kept = booked.cancel(db, after_edge)
    returned = not late or percent == 0
    assert (kept["late"], kept["creditReturned"]) == (late, returned)
    assert (kept["fee"]["amount"], kept["refund"]["amount"]) == (0, 0)
    assert booked.credits(db) == ((1, ["purchase", "spend", "give_back"]) if returned else (0, ["purchase", "spend"]))
