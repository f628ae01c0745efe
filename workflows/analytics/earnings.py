"""Earnings of a period by month or mentor, and by currency: money by the ledger of payments, fees by cancellations."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
    union_all,
)

from models.base import enum_literal
from models.bookings import bookings
from models.groups import seat_cancellations
from models.payments import PaymentEntryKind, PaymentMode, payment_entries, payments
from models.sessions import sessions
from workflows.analytics.scope import Period, Scope
from workflows.kernel.paging import Page


class EarningsGrouping(StrEnum):
    """The groups of the report's rows, besides a currency."""

    MONTH = "month"
    MENTOR = "mentor"


EARNINGS = ("sessions", "charged", "refunded", "fees", "net")
EARNED_BY = {EarningsGrouping.MONTH: "month", EarningsGrouping.MENTOR: "mentor_profile_id"}
_SUMMED = EARNINGS[:-1]


def earnings_query(page: Page, *, period: Period, group: EarningsGrouping, scope: Scope) -> Select[Any]:
    """The rows that have anything, in the order of their `key`, one more than the page's limit; in minor units.

    `refunded` is what is to go back, since when it is owed. A fee is that of a cancellation in the period of what is
    paid before, as it stands now. What has no mentor, as bundles, is a row of its own.
    """
    of = _of_period(period, group, scope).subquery("of_period")
    sums = {name: cast(func.sum(of.c[name]), BigInteger) for name in _SUMMED}
    key = func.coalesce(cast(of.c.subject, Text), "").concat(" ").concat(of.c.currency)
    query = select(
        key.label("key"),
        of.c.subject.label(EARNED_BY[group]),
        of.c.currency,
        *(total.label(name) for name, total in sums.items()),
        (sums["charged"] - sums["refunded"]).label("net"),
    ).group_by(of.c.subject, of.c.currency)
    if page.after is not None:
        query = query.where(key > page.after[0])
    return query.order_by(key).limit(page.limit + 1)


def _of_period(period: Period, group: EarningsGrouping, scope: Scope) -> CompoundSelect[Any]:
    def of(at: ColumnElement[Any], mentor: ColumnElement[Any], currency: Any, **amounts: Any) -> Select[Any]:
        month = func.to_char(period.local_time(at), literal("YYYY-MM", Text))
        subject = month if group is EarningsGrouping.MONTH else mentor
        return select(
            subject.label("subject"),
            currency.label("currency"),
            *(cast(amounts.get(name, literal(0)), BigInteger).label(name) for name in _SUMMED),
        )

    session, left, entry = sessions.c, seat_cancellations.c, payment_entries.c

    def of_kind(kind: PaymentEntryKind, name: str) -> Select[Any]:
        moved = of(entry.created_at, payments.c.mentor_profile_id, payments.c.currency, **{name: entry.amount})
        moved = moved.join_from(payment_entries, payments, payments.c.id == entry.payment_id)
        return moved.where(entry.kind == enum_literal(kind), period.covers(entry.created_at), scope.covers(payments))

    prepaid = bookings.c.payment_mode == enum_literal(PaymentMode.BEFORE)
    fee = session.cancellation["fee"]["amount"].as_string()
    held = of(session.completed_at, session.mentor_profile_id, bookings.c.price_currency, sessions=literal(1))
    kept = of(session.cancelled_at, session.mentor_profile_id, bookings.c.price_currency, fees=fee)
    seats = of(left.created_at, bookings.c.mentor_profile_id, left.currency, fees=left.fee_amount)
    of_session = and_(bookings.c.id == session.booking_id, scope.covers(sessions))
    return union_all(
        of_kind(PaymentEntryKind.CHARGE, "charged"),
        of_kind(PaymentEntryKind.REFUND_DUE, "refunded"),
        held.join_from(sessions, bookings, of_session).where(period.covers_session(session.completed_at)),
        # The fees of a group come from its seats.
        kept.join_from(sessions, bookings, of_session).where(
            period.covers_session(session.cancelled_at), prepaid, session.mentee_user_id.is_not(None)
        ),
        seats.join_from(seat_cancellations, bookings, bookings.c.id == left.booking_id).where(
            period.covers(left.created_at), prepaid, left.waived_at.is_(None), scope.covers(bookings)
        ),
    )
