"""Cancel the sessions of a series from a time on, each by its own policy."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam

from models.base import enum_literal
from models.bookings import BookingStatus, bookings
from models.sessions import CancellationType, SessionStatus, sessions
from workflows.events.record import savepoint
from workflows.identity.actor import Actor
from workflows.kernel.errors import DomainError
from workflows.kernel.locks import lock_calendar
from workflows.sessions.cancel import cancel
from workflows.sessions.records import SessionWithTerms, session_pending, with_terms

# With nulls for a session that is still being created.
SESSIONS_OF_SERIES = (
    with_terms()
    .add_columns(bookings.c.id.label("of_booking"))
    .join_from(bookings, sessions, sessions.c.booking_id == bookings.c.id, isouter=True)
    .where(
        bookings.c.series_id == bindparam("series_id"),
        bookings.c.start_time >= bindparam("from_time"),
        bookings.c.status == enum_literal(BookingStatus.ACCEPTED),
        sessions.c.status.is_distinct_from(enum_literal(SessionStatus.CANCELLED)),
    )
    .order_by(bookings.c.start_time)
)


@dataclass(frozen=True)
class KeptBooking:
    """A booking of a series that was not cancelled, and the code of the refusal."""

    booking_id: UUID
    code: str


@dataclass(frozen=True)
class CancelledSeries:
    """The ids of the bookings whose sessions were cancelled, and the others that still stand."""

    cancelled: list[UUID] = field(default_factory=list)
    kept: list[KeptBooking] = field(default_factory=list)


def cancel_series(
    db: Connection,
    *,
    actor: Actor,
    series_id: UUID,
    mentor_profile_id: UUID,
    from_time: datetime,
    reason: str,
    type: CancellationType | None = None,
    refund_requested: bool = True,
    now: datetime,
) -> CancelledSeries:
    """Cancel the sessions of a series; those that were cancelled before are in neither list.

    Args:
        mentor_profile_id: the mentor of all its bookings.
        from_time: the start of the first one to be cancelled.
        reason: shown to both sides.

    Returns:
        what was cancelled and what was not: each of these with the code of its own cancellation's refusal, or
        `session_pending` while the session is being created.
    """
    # The lock that every single cancellation takes first; taken before the sessions are looked at.
    lock_calendar(db, mentor_profile_id)
    outcome = CancelledSeries()
    for row in db.execute(SESSIONS_OF_SERIES, {"series_id": series_id, "from_time": from_time}).all():
        try:
            if row.id is None:
                raise session_pending()
            with savepoint(db):
                cancel(
                    db,
                    actor=actor,
                    session=SessionWithTerms.of(row),
                    reason=reason,
                    type=type,
                    refund_requested=refund_requested,
                    now=now,
                )
        except DomainError as refusal:
            outcome.kept.append(KeptBooking(row.of_booking, refusal.code))
        else:
            outcome.cancelled.append(row.of_booking)
    return outcome
