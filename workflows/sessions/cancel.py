"""Cancel a session by the policy of its booking, with its fee and refund."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam
from sqlalchemy.dialects.postgresql import JSONB

from models.base import sql
from models.sessions import CancellationType, CancelledBy, OutcomeType, SessionStatus
from workflows.bundles.ledger import give_back
from workflows.events.event_types import SessionCancelled
from workflows.events.record import record
from workflows.identity.access import HasMentor, is_mentor, require_canceller
from workflows.identity.actor import Actor
from workflows.kernel.clock import rfc3339
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition
from workflows.payments.actions import owe_back
from workflows.sessions.actions import SESSION_MACHINE
from workflows.sessions.records import Session, SessionWithTerms
from workflows.terms.cancellation import Quote, quote_at, quote_by_policy

_DEFAULT_TYPE = {
    CancelledBy.MENTEE: CancellationType.CLIENT_REQUEST,
    CancelledBy.MENTOR: CancellationType.COACH_REQUEST,
    CancelledBy.OPERATOR: CancellationType.OTHER,
}
# What each may name; operators cancel for either party. What the system or an outcome decides is named by nobody.
_OWN_TYPES = {
    CancelledBy.MENTEE: frozenset(CancellationType) - {CancellationType.COACH_REQUEST},
    CancelledBy.MENTOR: frozenset(CancellationType) - {CancellationType.CLIENT_REQUEST},
    CancelledBy.OPERATOR: frozenset(CancellationType),
}

_AMEND = (
    sql(
        f"""
UPDATE sessions SET cancellation = :cancellation
WHERE id = :id AND version = :version
RETURNING {Session.names()}
"""
    )
    .bindparams(bindparam("cancellation", type_=JSONB))
    .columns(*Session.columns())
)


def cancel(
    db: Connection,
    *,
    actor: Actor,
    session: SessionWithTerms,
    reason: str | None,
    type: CancellationType | None = None,
    refund_requested: bool = True,
    now: datetime,
) -> Session:
    """Cancel a scheduled session and release the mentor's time; return the session with what the cancellation cost.

    A credit that paid for it goes back to its bundle, as quoted.

    Args:
        reason: shown to both sides; None where the booking's own route was given none.
        type: what kind of reason; left out, it is the caller's own request.

    Raises:
        Forbidden: the caller is neither party nor operator.
        Invalid: a type of the other party.
        InvalidTransition: the session is no longer scheduled.
        Conflict: `not_cancellable`, by the listing's policy.
    """
    quote = quote_for(actor, session, now=now)
    require_own_type(quote.cancelled_by, type)
    require_scheduled(session)
    require_allowed(quote)
    return conclude(
        db,
        actor=actor,
        session=session,
        quote=quote,
        kind=type or _DEFAULT_TYPE[quote.cancelled_by],
        reason=reason,
        refund_requested=refund_requested,
        now=now,
    )


def conclude(
    db: Connection,
    *,
    actor: Actor,
    session: SessionWithTerms,
    quote: Quote,
    kind: CancellationType | OutcomeType,
    reason: str | None,
    refund_requested: bool = False,
    now: datetime,
) -> Session:
    """Move a session to cancelled at the cost of a quote: release the time, return the credit, record the event.

    Raises:
        InvalidTransition: the session has changed since it was read.
    """
    cancelled = SESSION_MACHINE.move(
        db,
        session,
        SessionStatus.CANCELLED,
        mentor_profile_id=session.mentor_profile_id,
        cancelled_at=now,
        cancellation=as_stored(quote, reason=reason, kind=kind, refund_requested=refund_requested),
    )
    credit_valid_to = quote.credit_valid_to
    if quote.credit_returned:
        by_mentee = quote.cancelled_by is CancelledBy.MENTEE
        about: dict[str, Any] = {"by_mentee": by_mentee, "now": now, "reason": "The session was cancelled."}
        cancelled, credit_valid_to = return_credit(db, cancelled, credit_valid_to, actor=actor, **about)
    refund = refunded(quote, kind, refund_requested)
    if session.mentee_user_id is not None:
        owe_of_session(db, session, refund, reason="The session was cancelled.", actor=actor, now=now)
    costs = {
        "cancelled_by": quote.cancelled_by,
        "cancellation_type": kind,
        "late": quote.late,
        "fee_amount": quote.fee_amount,
        "refund_amount": refund,
        "currency": quote.currency,
        "credit_returned": quote.credit_returned,
        "credit_valid_to": credit_valid_to,
        "started": cancelled.started_at is not None,
    }
    record(db, SessionCancelled.about(cancelled, actor=actor, now=now, **costs))
    return cancelled


def amend(db: Connection, session: Session, **changes: Any) -> Session:
    """Change what is stored of a session's cancellation, by the names of the API.

    Raises:
        InvalidTransition: the session has changed since it was read.
    """
    cancellation = {**(session.cancellation or {}), **changes}
    row = db.execute(_AMEND, {"id": session.id, "version": session.version, "cancellation": cancellation}).one_or_none()
    if row is None:
        raise InvalidTransition("The session has changed in the meantime; read it again.")
    return Session.of_values({**session.beside_columns(), **row._mapping})


def return_credit(
    db: Connection,
    session: Session,
    quoted_valid_to: datetime | None,
    *,
    actor: Actor,
    by_mentee: bool,
    now: datetime,
    reason: str,
) -> tuple[Session, datetime | None]:
    """Give the credit of a cancelled session back; returns the session and the end that its bundle has then.

    Another transaction may have moved that end since the quote read it: the cancellation names the present one.
    """
    bundle = give_back(db, booking_id=session.booking_id, actor=actor, by_mentee=by_mentee, now=now, reason=reason)
    if bundle is None or bundle.valid_to == quoted_valid_to:
        return session, quoted_valid_to
    return amend(db, session, creditValidTo=bundle.valid_to and rfc3339(bundle.valid_to)), bundle.valid_to


def owe_of_session(
    db: Connection, session: SessionWithTerms, amount: int, *, reason: str, actor: Actor, now: datetime
) -> None:
    """Enter what goes back of the payment of an individual session, where it was paid before."""
    if session.is_prepaid and amount > 0:
        booking_id, series_id = session.booking_id, session.series_id
        owe_back(db, amount, booking_id=booking_id, series_id=series_id, reason=reason, actor=actor, now=now)


def quote_for(actor: Actor, session: SessionWithTerms, *, now: datetime) -> Quote:
    """The caller's quote: only a mentee inside the window pays, and never more than the price.

    Raises:
        Forbidden: the caller is neither party nor operator.
    """
    require_canceller(actor, session)
    return quote_by_policy(
        session,
        start_time=session.start_time,
        cancelled_by=role_of(actor, session),
        price_amount=session.price_amount,
        paid_by_credit=session.bundle_purchase_id is not None,
        bundle_valid_to=session.bundle_valid_to,
        # The session follows the acceptance within moments, and cannot be cancelled before it is there.
        accepted_at=session.created_at,
        is_open=session.status is SessionStatus.SCHEDULED,
        now=now,
    )


def quote_of(
    session: SessionWithTerms, *, cancelled_by: CancelledBy, late: bool = False, fee_percent: int = 0, now: datetime
) -> Quote:
    """What a cancellation costs whose fee is this share of the price, whatever the policy."""
    return quote_at(
        session,
        cancelled_by=cancelled_by,
        price_amount=session.price_amount,
        paid_by_credit=session.bundle_purchase_id is not None,
        bundle_valid_to=session.bundle_valid_to,
        now=now,
        late=late,
        fee_percent=fee_percent,
    )


def require_scheduled(session: Session) -> None:
    """Refuse what has begun or has ended. Raises InvalidTransition: the session is not scheduled."""
    SESSION_MACHINE.require_transition(session, SessionStatus.CANCELLED)
    if session.status is not SessionStatus.SCHEDULED:
        raise InvalidTransition(
            "A session in progress is completed by its mentor, or voided by an operator.",
            step=SESSION_MACHINE.step(session, SessionStatus.CANCELLED),
        )


def require_allowed(quote: Quote) -> None:
    """Refuse what the policy does not allow.

    Raises:
        Conflict: `not_cancellable`, to a mentee whose listing excludes cancellation by the mentee.
    """
    if not quote.allowed:
        raise Conflict(
            "The listing's policy does not allow mentees to cancel; ask the mentor to cancel this session.",
            code="not_cancellable",
        )


def as_stored(quote: Quote, *, reason: str | None, kind: str, refund_requested: bool) -> dict[str, Any]:
    """The cancellation as it is stored with the session, in the names of the API."""
    policy = {"windowHours": quote.window_hours, "lateFeePercent": quote.late_fee_percent}
    return {
        "cancelledBy": quote.cancelled_by,
        "type": kind,
        "reason": reason,
        "late": quote.late,
        "paid": {"amount": quote.paid_amount, "currency": quote.currency},
        "fee": {"amount": quote.fee_amount, "currency": quote.currency},
        "refundRequested": refund_requested,
        "refund": {"amount": refunded(quote, kind, refund_requested), "currency": quote.currency},
        "creditReturned": quote.credit_returned,
        "creditValidTo": quote.credit_valid_to and rfc3339(quote.credit_valid_to),
        "waivedAt": None,
        "policy": None if quote.window_hours is None else policy,
    }


def refunded(quote: Quote, kind: str, refund_requested: bool) -> int:
    """What goes back to the mentee, in minor units: the price without the fee.

    Nothing where a mentee who cancels does without it, until an operator grants it after all.
    """
    by_request = quote.cancelled_by is CancelledBy.MENTEE and kind != OutcomeType.NO_SHOW
    return quote.refund_amount if refund_requested or not by_request else 0


def require_own_type(by: CancelledBy, type: CancellationType | None) -> None:
    """Refuse a type of cancellation that is not the caller's to name. Raises Invalid: it is the other party's."""
    if type is not None and type not in _OWN_TYPES[by]:
        own = ", ".join(sorted(_OWN_TYPES[by]))
        raise Invalid(f"A {by} cancels with one of these types: {own}.", details={"type": [f"must be one of {own}"]})


def role_of(actor: Actor, parties: HasMentor) -> CancelledBy:
    """The role in which a party or an operator cancels."""
    if actor.operator:
        return CancelledBy.OPERATOR
    return CancelledBy.MENTOR if is_mentor(actor, parties) else CancelledBy.MENTEE
