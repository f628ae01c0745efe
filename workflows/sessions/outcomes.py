"""Sessions after the fact: who did not come, what an operator voids or waives, and what was never held or completed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam

from models.base import sql
from models.sessions import AbsentParty, CancelledBy, OutcomeType, SessionStatus, sessions
from workflows.audit.log import write_audit_entry
from workflows.events.event_types import SessionFeeWaived, SessionOverdue
from workflows.events.record import record
from workflows.identity.access import require_operator, require_other_party
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.clock import rfc3339
from workflows.kernel.errors import Invalid, InvalidTransition
from workflows.kernel.locks import lock_mentors
from workflows.sessions.actions import SESSION_MACHINE
from workflows.sessions.cancel import amend, conclude, owe_of_session, quote_of, require_scheduled, return_credit
from workflows.sessions.records import Session, SessionWithTerms, session_with_terms_query
from workflows.terms.cancellation import end_after_return

NO_SHOW_AFTER = timedelta(minutes=15)
# After the end of a session that was never started, or never completed.
CONCLUDE_AFTER = timedelta(hours=24)
BATCH = 50
NOT_HELD_REASON = "The session was not started."
_WAIVED_REASON = "The fee was waived."
_NO_SHOW_REASON = {
    AbsentParty.MENTOR: "The mentor did not come.",
    AbsentParty.MENTEE: "The mentee did not come.",
}

# The first condition alone bounds the index scan.
NOT_HELD = sql(
    """
SELECT id, mentor_profile_id FROM sessions
WHERE status = 'scheduled' AND start_time < :ended_before AND end_time < :ended_before
ORDER BY start_time LIMIT :limit
"""
)
_SESSION = session_with_terms_query(bindparam("id", type_=sessions.c.id.type))
TO_COMPLETE = sql(
    f"""
UPDATE sessions SET completion_reminded_at = :now
WHERE id = ANY(ARRAY(
    SELECT id FROM sessions
    WHERE status = 'in_progress' AND completion_reminded_at IS NULL
      AND start_time < :ended_before AND end_time < :ended_before
    ORDER BY start_time LIMIT :limit FOR UPDATE SKIP LOCKED
))
RETURNING {Session.names()}
"""
).columns(*Session.columns())


def report_no_show(
    db: Connection, *, actor: Actor, session: SessionWithTerms, who: AbsentParty, now: datetime
) -> Session:
    """Cancel a scheduled session to which one party did not come, as the other one or an operator.

    A mentee who did not come owes the fee of the agreed terms; of the rest they need not request the refund. Where the
    mentor did not come, all goes back.

    Raises:
        Forbidden: the caller is that party, or none.
        Invalid: `too_early`, less than 15 minutes after the start; the mentee of a group, who has attendance.
        InvalidTransition: the session is no longer scheduled.
    """
    require_other_party(actor, session, than_mentee=who is AbsentParty.MENTEE)
    if who is AbsentParty.MENTEE and session.mentee_user_id is None:
        raise Invalid(
            "Record who was absent from a group as its attendance.", details={"who": ["must be mentor for a group"]}
        )
    require_scheduled(session)
    possible_from = session.start_time + NO_SHOW_AFTER
    if now < possible_from:
        raise Invalid(f"A no-show can be reported from {possible_from:%Y-%m-%dT%H:%M:%SZ} on.", code="too_early")
    quote = quote_of(session, cancelled_by=CancelledBy.MENTOR, now=now)
    if who is AbsentParty.MENTEE:
        percent = session.no_show_percent
        quote = quote_of(session, cancelled_by=CancelledBy.MENTEE, late=True, fee_percent=percent, now=now)
    return conclude(
        db, actor=actor, session=session, quote=quote, kind=OutcomeType.NO_SHOW, reason=_NO_SHOW_REASON[who], now=now
    )


def void(db: Connection, *, actor: Actor, session: SessionWithTerms, reason: str, now: datetime) -> Session:
    """Cancel a scheduled session, or one in progress, as an operator: everything goes back.

    Args:
        reason: shown to both sides.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: the session is completed or cancelled.
    """
    require_operator(actor, "Only an operator can void a session.")
    SESSION_MACHINE.require_transition(session, SessionStatus.CANCELLED)
    quote = quote_of(session, cancelled_by=CancelledBy.OPERATOR, now=now)
    return conclude(db, actor=actor, session=session, quote=quote, kind=OutcomeType.VOID, reason=reason, now=now)


def waive_fee(
    db: Connection,
    *,
    actor: Actor,
    session: SessionWithTerms,
    reason: str,
    user_id: UUID | None = None,
    now: datetime,
) -> Session:
    """Waive the fee of a cancelled individual session, as an operator.

    The fee becomes 0 and the refund the whole price, also for a mentee who did not request one, and a kept credit
    returns. Waiving it again changes nothing. The reason is kept in the audit.

    Args:
        user_id: the mentee, or None.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: another person than its mentee.
        InvalidTransition: the session is not cancelled, or nothing was kept; it has changed in the meantime.
    """
    require_operator(actor, "Only an operator can waive a fee.")
    if user_id not in (None, session.mentee_user_id):
        raise Invalid("This person is not the mentee of the session.", details={"userId": ["must be the mentee"]})
    cancellation = session.cancellation or {}
    if cancellation.get("waivedAt") is not None:
        return session
    if not _is_kept(session):
        raise InvalidTransition("Only a cancelled session of which something was kept can have its fee waived.")
    return _return_everything(db, "session.fee_waived", {}, actor=actor, session=session, reason=reason, now=now)


def revert_no_show(db: Connection, *, actor: Actor, session: SessionWithTerms, reason: str, now: datetime) -> Session:
    """Take a no-show back, as an operator: the session counts as void, and everything goes back.

    Reverting it again changes nothing.

    Args:
        reason: shown to both sides, and kept in the audit.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: the session was not cancelled for a no-show; it has changed in the meantime.
    """
    require_operator(actor, "Only an operator can revert a no-show.")
    cancellation = session.cancellation or {}
    # Of a session that was voided as such, nothing could be waived.
    if cancellation.get("type") == OutcomeType.VOID and cancellation.get("waivedAt") is not None:
        return session
    if cancellation.get("type") != OutcomeType.NO_SHOW:
        raise InvalidTransition("Only a session that was cancelled for a no-show can have it reverted.")
    void = {"cancelledBy": CancelledBy.OPERATOR, "type": OutcomeType.VOID, "reason": reason, "late": False}
    return _return_everything(
        db, "session.no_show_reverted", void, actor=actor, session=session, reason=reason, now=now
    )


def _is_kept(session: Session) -> bool:
    """Whether something was kept of what paid for a cancelled session."""
    cancellation = session.cancellation or {}
    return cancellation.get("creditReturned") is False or cancellation.get("refund") != cancellation.get("paid")


def _return_everything(
    db: Connection,
    action: str,
    outcome: Mapping[str, Any],
    *,
    actor: Actor,
    session: SessionWithTerms,
    reason: str,
    now: datetime,
) -> Session:
    cancellation, valid_to = session.cancellation or {}, None
    fee, paid, credit_kept = cancellation["fee"], cancellation["paid"], cancellation["creditReturned"] is False
    changes = {**outcome, "fee": {**fee, "amount": 0}, "refund": paid, "waivedAt": rfc3339(now)}
    if credit_kept:
        valid_to = end_after_return(session.bundle_valid_to, by_mentee=False, now=now)
        changes |= {"creditReturned": True, "creditValidTo": valid_to and rfc3339(valid_to)}
    waived = amend(db, session, **changes)
    if credit_kept:
        about: dict[str, Any] = {"by_mentee": False, "now": now, "reason": reason}
        waived, valid_to = return_credit(db, waived, valid_to, actor=actor, **about)
    refunded = cancellation["refund"]["amount"]
    # The parties see the payment, and not why a fee was waived.
    shown = reason if outcome else _WAIVED_REASON
    owe_of_session(db, session, paid["amount"] - refunded, reason=shown, actor=actor, now=now)
    write_audit_entry(
        db,
        actor=actor,
        action=action,
        subject=("session", session.id),
        reason=reason,
        data={"fee": fee},
        now=now,
    )
    costs = {
        "waived_fee_amount": fee["amount"],
        "refund_amount": paid["amount"],
        "currency": paid["currency"],
        "credit_returned": True if credit_kept else None,
        "credit_valid_to": valid_to,
        "no_show_reverted": bool(outcome),
    }
    record(db, SessionFeeWaived.about(waived, actor=actor, now=now, **costs))
    return waived


def cancel_not_held(db: Connection, *, now: datetime, limit: int = BATCH) -> bool:
    """Cancel a batch of sessions that are still scheduled 24 hours after their end; returns whether it was full.

    By the system, without a fee: everything goes back.
    """
    found = db.execute(NOT_HELD, {"ended_before": now - CONCLUDE_AFTER, "limit": limit}).all()
    if not found:
        return False
    # All of them first and in one order: a credit that is given back locks its bundle, which comes after every mentor.
    lock_mentors(db, {row.mentor_profile_id for row in found})
    sessions = [SessionWithTerms.of(db.execute(_SESSION, {"id": row.id}).one()) for row in found]
    # Bundles are locked in the order of their ids.
    for session in sorted(sessions, key=lambda each: str(each.bundle_purchase_id)):
        _cancel_as_not_held(db, session, now)
    return len(found) == limit


def _cancel_as_not_held(db: Connection, session: SessionWithTerms, now: datetime) -> None:
    if session.status is not SessionStatus.SCHEDULED:
        return
    quote = quote_of(session, cancelled_by=CancelledBy.SYSTEM, now=now)
    try:
        conclude(
            db,
            actor=SYSTEM,
            session=session,
            quote=quote,
            kind=OutcomeType.NOT_HELD,
            reason=NOT_HELD_REASON,
            now=now,
        )
    except InvalidTransition:
        # Started at this very moment.
        return


def remind_to_complete(db: Connection, *, now: datetime, limit: int = BATCH) -> bool:
    """Record `session.overdue`, once, of sessions still in progress 24 hours after their end; a batch of them.

    Returns:
        whether the batch was full.
    """
    rows = db.execute(TO_COMPLETE, {"now": now, "ended_before": now - CONCLUDE_AFTER, "limit": limit}).all()
    if rows:
        record(db, *(SessionOverdue.about(Session.of(row), actor=SYSTEM, now=now) for row in rows))
    return len(rows) == limit
