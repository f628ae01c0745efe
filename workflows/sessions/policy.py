"""What cancelling a session costs, by its listing's policy as it stands at that moment (domain rule 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from models.sessions import CancelledBy, SessionStatus
from workflows.errors import Conflict, Forbidden
from workflows.identity.actor import Actor
from workflows.sessions.session import Session, is_mentee, is_mentor


@dataclass(frozen=True, kw_only=True)
class SessionToCancel(Session):
    """A session beside its price (minor units) and its listing's policy; `None` hours: the mentee cannot cancel."""

    price_amount: int
    price_currency: str
    cancellation_window_hours: int | None
    late_fee_percent: int


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What it would cost the caller to cancel now. Amounts are minor units of `currency`.

    `refund_amount` is what a refund would come to; `late` says that the mentee is inside the window. What cannot be
    cancelled, by the policy or since it is no longer scheduled, is not `allowed`: it costs and gives back nothing.
    """

    cancelled_by: CancelledBy
    allowed: bool
    late: bool
    fee_amount: int
    refund_amount: int
    currency: str
    window_hours: int | None
    late_fee_percent: int
    free_until: datetime | None


def quote_for(actor: Actor, session: SessionToCancel, *, now: datetime) -> Quote:
    """Work out the caller's quote: only a mentee inside the window pays, and never more than the price.

    Raises:
        Forbidden: the caller is neither party nor operator.
    """
    canceller = canceller_of(actor, session)
    by_mentee = canceller is CancelledBy.MENTEE
    free_until = _free_until(session) if by_mentee else None
    scheduled = session.status is SessionStatus.SCHEDULED
    allowed = scheduled and not (by_mentee and session.cancellation_window_hours is None)
    late = allowed and free_until is not None and now > free_until
    # Half up to the minor unit, in whole numbers.
    fee = (session.price_amount * session.late_fee_percent + 50) // 100 if late else 0
    return Quote(
        cancelled_by=canceller,
        allowed=allowed,
        late=late,
        fee_amount=fee,
        refund_amount=session.price_amount - fee if allowed else 0,
        currency=session.price_currency,
        window_hours=session.cancellation_window_hours,
        late_fee_percent=session.late_fee_percent,
        free_until=free_until,
    )


def require_allowed(quote: Quote) -> None:
    """Refuse what the policy refuses.

    Raises:
        Conflict: `not_cancellable`, to a mentee whose listing lets nobody cancel.
    """
    if not quote.allowed:
        raise Conflict(
            "By its listing's policy this session cannot be cancelled by the mentee; ask the mentor to cancel it.",
            code="not_cancellable",
        )


def canceller_of(actor: Actor, session: Session) -> CancelledBy:
    """As whom the caller cancels.

    Raises:
        Forbidden: as nobody.
    """
    if actor.operator:
        return CancelledBy.OPERATOR
    if is_mentor(actor, session):
        return CancelledBy.MENTOR
    if is_mentee(actor, session):
        return CancelledBy.MENTEE
    raise Forbidden("Only the parties of this session may do this.")


def as_stored(quote: Quote, *, reason: str, kind: str, refund_requested: bool) -> dict[str, Any]:
    """The cancellation as it stays with the session, in the names of the API: what was said, and what it cost."""
    return {
        "cancelledBy": quote.cancelled_by,
        "type": kind,
        "reason": reason,
        "late": quote.late,
        "fee": {"amount": quote.fee_amount, "currency": quote.currency},
        "refundRequested": refund_requested,
        "refund": {"amount": refunded(quote, refund_requested), "currency": quote.currency},
        "policy": {"windowHours": quote.window_hours, "lateFeePercent": quote.late_fee_percent},
    }


def refunded(quote: Quote, refund_requested: bool) -> int:
    """What goes back to the mentee, in minor units: the price without the fee, when it was asked for."""
    return quote.refund_amount if refund_requested else 0


def _free_until(session: SessionToCancel) -> datetime | None:
    hours = session.cancellation_window_hours
    return None if hours is None else session.start_time - timedelta(hours=hours)
