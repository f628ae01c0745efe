"""Cancel a session: by its listing's policy, with its fee and refund, and the mentor's time is free again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.bookings import bookings
from models.catalog import listings
from models.sessions import CancellationType, CancelledBy, SessionStatus, sessions
from workflows.availability.busy import GIVE_TIME_BACK, LOCK_MENTOR
from workflows.events.catalogue import SessionCancelled
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.sessions.move import STEPS
from workflows.sessions.policy import SessionToCancel, as_stored, quote_for, refunded, require_allowed
from workflows.sessions.session import Session

_COLUMNS = ", ".join(f"sessions.{column.name}" for column in Session.columns())
_CANCEL = (
    text(
        f"""
WITH {LOCK_MENTOR},
session AS (
    UPDATE sessions SET status = 'cancelled', cancelled_at = :cancelled_at, cancellation = :cancellation
    FROM mentor
    WHERE sessions.mentor_profile_id = mentor.id AND sessions.id = CAST(:session_id AS uuid)
      AND sessions.status = 'scheduled' AND sessions.version = :version
    RETURNING {_COLUMNS}
),
{GIVE_TIME_BACK}
SELECT * FROM session
"""
    )
    .bindparams(bindparam("cancellation", type_=JSONB))
    .columns(*Session.columns())
)
_USUAL_TYPE = {
    CancelledBy.MENTEE: CancellationType.CLIENT_REQUEST,
    CancelledBy.MENTOR: CancellationType.COACH_REQUEST,
    CancelledBy.OPERATOR: CancellationType.OTHER,
}


def session_to_cancel_query(session_id: UUID) -> Select[Any]:
    """The session of that id, with the price that was agreed on and its listing's present policy."""
    return (
        select(
            *Session.columns(),
            bookings.c.price_amount,
            bookings.c.price_currency,
            listings.c.cancellation_window_hours,
            listings.c.late_fee_percent,
        )
        .join_from(sessions, bookings, bookings.c.id == sessions.c.booking_id)
        .join(listings, listings.c.id == bookings.c.listing_id)
        .where(sessions.c.id == session_id)
    )


def cancel(
    db: Connection,
    *,
    actor: Actor,
    session: SessionToCancel,
    reason: str,
    type: CancellationType | None = None,
    refund_requested: bool = False,
    now: datetime,
) -> Session:
    """Call the meeting off, and return the session as it stands then, with what it cost.

    Args:
        reason: shown to both sides.
        type: what kind of reason; left out, it is the caller's own request.

    Raises:
        Forbidden: the caller is neither party nor operator.
        InvalidTransition: the session is not scheduled (any more).
        Conflict: `not_cancellable`, by the listing's policy.
    """
    quote = quote_for(actor, session, now=now)
    STEPS.require_transition(session, SessionStatus.CANCELLED)
    require_allowed(quote)
    kind = type or _USUAL_TYPE[quote.cancelled_by]
    values = {
        "mentor_profile_id": session.mentor_profile_id,
        "session_id": session.id,
        "version": session.version,
        "cancelled_at": now,
        "cancellation": as_stored(quote, reason=reason, kind=kind, refund_requested=refund_requested),
    }
    cancelled = STEPS.moved(db, db.execute(_CANCEL, values).one_or_none(), session, SessionStatus.CANCELLED)
    told = {
        "cancelled_by": quote.cancelled_by,
        "cancellation_type": kind,
        "late": quote.late,
        "fee_amount": quote.fee_amount,
        "refund_amount": refunded(quote, refund_requested),
        "currency": quote.currency,
    }
    record(db, SessionCancelled.about(cancelled, actor=actor, now=now, **told))
    return cancelled
