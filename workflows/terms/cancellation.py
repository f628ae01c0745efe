"""What it costs to cancel a session, or to leave a seat of a group, by the policy that was agreed (rule 4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.sessions import CancelledBy
from workflows.terms.terms import Terms

# How long a mentee can cancel without a fee after the booking was accepted, but not after the start.
FREE_AFTER_ACCEPTANCE = timedelta(hours=1)
# How long a participant leaves a group without a fee after it has moved, but not after the start.
FREE_AFTER_MOVE = timedelta(hours=48)
# By how much a bundle that has ended is extended for a credit that returns without the mentee's doing.
BUNDLE_EXTENSION = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What it would cost the caller to cancel, or to leave their seat, now. Amounts are minor units of `currency`.

    `paid_amount` is the price, and never less than fee and refund; `refund_amount` is what a refund would come to;
    `late` means that the mentee is inside the window, which begins after `free_until`. What the policy or the state
    does not let them cancel is not `allowed`: fee and refund are 0. `credit_returned` is whether the credit that paid
    would go back to its bundle; None where none did.
    `credit_valid_to` is the end of that bundle then, in the past where the credit could not be spent again; None for no
    end, or no such credit.
    """

    cancelled_by: CancelledBy
    allowed: bool
    late: bool
    paid_amount: int
    fee_amount: int
    refund_amount: int
    currency: str
    window_hours: int | None
    late_fee_percent: int
    no_show_fee_percent: int
    free_until: datetime | None
    credit_returned: bool | None
    credit_valid_to: datetime | None


def end_of_free_time(start_time: datetime, *, window_hours: int, accepted_at: datetime | None) -> datetime:
    """Until when a mentee can cancel without a fee: until the window, and for an hour after the acceptance.

    Args:
        accepted_at: None for seats, which nobody accepts.
    """
    before_window = start_time - timedelta(hours=window_hours)
    if accepted_at is None:
        return before_window
    return min(start_time, max(before_window, accepted_at + FREE_AFTER_ACCEPTANCE))


def end_of_free_time_after_move(moved_at: datetime, start_time: datetime, *, window_hours: int | None) -> datetime:
    """Until when a seat of a group that has moved is left without a fee: for 48 hours, and until the window."""
    free_until = min(moved_at + FREE_AFTER_MOVE, start_time)
    if window_hours is None:
        return free_until
    return max(free_until, end_of_free_time(start_time, window_hours=window_hours, accepted_at=None))


def end_after_return(valid_to: datetime | None, *, by_mentee: bool, now: datetime) -> datetime | None:
    """The end of a bundle's validity after a credit has returned: another one if it lies in the past.

    Args:
        by_mentee: whether the mentee's own doing returns the credit, which extends nothing.
    """
    has_ended = valid_to is not None and valid_to <= now
    return now + BUNDLE_EXTENSION if has_ended and not by_mentee else valid_to


def quote_by_policy(
    terms: Terms,
    *,
    start_time: datetime,
    cancelled_by: CancelledBy,
    price_amount: int,
    paid_by_credit: bool,
    bundle_valid_to: datetime | None,
    accepted_at: datetime | None,
    is_open: bool,
    now: datetime,
) -> Quote:
    """What it costs at that time: only a mentee inside the window pays, and never more than the price.

    Args:
        price_amount: what was paid, in minor units: for the session, or for the seat.
        accepted_at: as of `end_of_free_time`.
        is_open: whether its state lets anyone cancel.
    """
    by_mentee, hours = cancelled_by is CancelledBy.MENTEE, terms.cancellation_window_hours
    free_until = None
    if by_mentee and hours is not None:
        free_until = end_of_free_time(start_time, window_hours=hours, accepted_at=accepted_at)
    allowed = is_open and not (by_mentee and hours is None)
    late = allowed and free_until is not None and now > free_until
    return quote_at(
        terms,
        cancelled_by=cancelled_by,
        price_amount=price_amount,
        paid_by_credit=paid_by_credit,
        bundle_valid_to=bundle_valid_to,
        now=now,
        allowed=allowed,
        late=late,
        fee_percent=terms.late_fee_percent if late else 0,
        free_until=free_until,
    )


def quote_at(
    terms: Terms,
    *,
    cancelled_by: CancelledBy,
    price_amount: int,
    paid_by_credit: bool,
    bundle_valid_to: datetime | None,
    now: datetime,
    allowed: bool = True,
    late: bool = False,
    fee_percent: int = 0,
    free_until: datetime | None = None,
) -> Quote:
    """What a cancellation costs whose fee is this share of the price."""
    # Half up to the minor unit, in whole numbers.
    fee = (price_amount * fee_percent + 50) // 100
    # The price of what is paid by credit is 0, so that where there is a fee, it is the credit itself.
    returned = allowed and fee_percent == 0 if paid_by_credit else None
    by_mentee = cancelled_by is CancelledBy.MENTEE
    return Quote(
        cancelled_by=cancelled_by,
        allowed=allowed,
        late=late,
        paid_amount=price_amount,
        fee_amount=fee,
        refund_amount=price_amount - fee if allowed else 0,
        currency=terms.price_currency,
        window_hours=terms.cancellation_window_hours,
        late_fee_percent=terms.late_fee_percent,
        no_show_fee_percent=terms.no_show_percent,
        free_until=free_until,
        credit_returned=returned,
        credit_valid_to=end_after_return(bundle_valid_to, by_mentee=by_mentee, now=now) if returned else None,
    )
