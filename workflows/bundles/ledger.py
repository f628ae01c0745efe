"""The ledger of a bundle's credits: each statement moves the counter and writes the entry with its reason."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, TextClause
from sqlalchemy.sql.expression import TextualSelect
from uuid_utils.compat import uuid7

from models.base import sql
from workflows.bundles.records import Bundle, bundle_query
from workflows.events.event_types import BundleExhausted, BundleValiditySet
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, NotFound
from workflows.terms.cancellation import end_after_return


def moving(changed: str, *, kind: str, credits: str) -> TextualSelect:
    """The statement of one move of credits; it returns the bundle as it stands then, or no row.

    Args:
        changed: an UPDATE or INSERT of the one bundle, returning all of its columns.
        kind: of the entry.
        credits: an expression for how many credits came or went.
    """
    # The entry is numbered by its insert, under the lock of the bundle's row: entries are in the order of their moves.
    return sql(f"""
WITH bundle AS ({changed}),
entry AS (
    INSERT INTO bundle_entries (
        id, bundle_purchase_id, kind, credits, balance, booking_id, seat_id, reason, actor, created_at
    )
    SELECT :entry_id, id, '{kind}', {credits}, remaining_sessions, :booking_id,
           :seat_id, :reason, :actor, :now
    FROM bundle
)
SELECT {Bundle.names()} FROM bundle
""").columns(*Bundle.columns())


# A bundle is never sold for later, so that only the end of its validity is looked at.
_SPEND = moving(
    """
    UPDATE bundle_purchases SET remaining_sessions = remaining_sessions - 1,
        closed_at = CASE WHEN remaining_sessions = 1 THEN coalesce(closed_at, :now)
                         ELSE closed_at END
    WHERE id = :id AND mentee_user_id = :mentee_user_id
      AND course_id = :course_id
      AND (duration_minutes IS NULL OR duration_minutes = CAST(:duration_minutes AS integer))
      AND remaining_sessions > 0 AND (valid_to IS NULL OR valid_to > :now) AND NOT awaits_payment
    RETURNING *
    """,
    kind="spend",
    credits="-1",
)
_TAKE_ALL = moving(
    """
    UPDATE bundle_purchases SET remaining_sessions = 0, awaits_payment = false,
        valid_to = CAST(:valid_to AS timestamptz), closed_at = coalesce(closed_at, :now)
    WHERE id = :id
    RETURNING *
    """,
    kind="expire",
    credits="-CAST(:left AS integer)",
)
# Spent credits are found by two unique indexes, of bookings and of seats, each by a statement of its own.
_OF_BOOKING = "{entry}.booking_id = :booking_id AND {entry}.seat_id IS NULL"
_OF_SEAT = "{entry}.seat_id = :seat_id AND {entry}.booking_id = :booking_id"


def _lock_spent(of: str) -> TextClause:
    return sql(f"""
SELECT bundle.id, bundle.valid_to
FROM bundle_entries spent JOIN bundle_purchases bundle ON bundle.id = spent.bundle_purchase_id
WHERE {of.format(entry="spent")} AND spent.kind = 'spend'
FOR NO KEY UPDATE OF bundle
""")


def _giving_back(of: str) -> TextualSelect:
    return moving(
        f"""
    UPDATE bundle_purchases SET remaining_sessions = remaining_sessions + 1, valid_to = CAST(:valid_to AS timestamptz)
    WHERE id = :id AND NOT EXISTS (
        SELECT FROM bundle_entries returned WHERE {of.format(entry="returned")} AND returned.kind = 'give_back'
    )
    RETURNING *
        """,
        kind="give_back",
        credits="1",
    )


_LOCK_SPENT_ON_BOOKING, _GIVE_BACK_BOOKING = _lock_spent(_OF_BOOKING), _giving_back(_OF_BOOKING)
_LOCK_SPENT_ON_SEAT, _GIVE_BACK_SEAT = _lock_spent(_OF_SEAT), _giving_back(_OF_SEAT)


def spend(
    db: Connection,
    *,
    bundle_purchase_id: UUID,
    mentee_user_id: UUID,
    course_id: UUID | None,
    duration_minutes: int,
    booking_id: UUID,
    seat_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    """Pay for a booking, or for a seat of a group, with one credit of the mentee's bundle.

    The bundle's row stays locked until the end of the transaction; the rows of the mentor, the mentees and the booking
    are locked before it.

    Args:
        course_id: of what is paid for; None fits no bundle.
        duration_minutes: how long the session is.
        seat_id: of the seat in the group's booking; None for an individual booking.

    Raises:
        NotFound: no such bundle, or another person's.
        Conflict: `bundle_unusable`, with `other_course`, `wrong_duration`, `unpaid`, `expired` or `empty` in details.
    """
    row = db.execute(
        _SPEND,
        {
            "id": bundle_purchase_id,
            "mentee_user_id": mentee_user_id,
            "course_id": course_id,
            "duration_minutes": duration_minutes,
            **entry_values(booking_id=booking_id, seat_id=seat_id, actor=actor, now=now),
        },
    ).one_or_none()
    if row is None:
        raise _refusal(db, bundle_purchase_id, mentee_user_id, course_id, duration_minutes, now)
    if exhausted := exhausted_events(Bundle.of(row), actor=actor, now=now):
        record(db, *exhausted)


def give_back(
    db: Connection,
    *,
    booking_id: UUID,
    seat_id: UUID | None = None,
    actor: Actor,
    by_mentee: bool,
    now: datetime,
    reason: str | None = None,
) -> Bundle | None:
    """Give back the credit that was spent on a booking, or on a seat of a group; once, however often it is called.

    A credit that comes back after the end of the bundle's validity extends the bundle by 30 days from now, unless the
    mentee's own doing brings it back: that credit cannot be spent unless an operator extends the bundle.

    Args:
        seat_id: of the seat in the group's booking; None for an individual booking.
        by_mentee: whether the mentee's own doing brings it back.
        reason: stands in the ledger.

    Returns:
        The bundle with the credit; None where none was spent, or where it had come back before.
    """
    if seat_id is None:
        lock, move = _LOCK_SPENT_ON_BOOKING, _GIVE_BACK_BOOKING
    else:
        lock, move = _LOCK_SPENT_ON_SEAT, _GIVE_BACK_SEAT
    entry = entry_values(booking_id=booking_id, seat_id=seat_id, reason=reason, actor=actor, now=now)
    locked = db.execute(lock, entry).one_or_none()
    if locked is None:
        return None
    valid_to = end_after_return(locked.valid_to, by_mentee=by_mentee, now=now)
    # A statement of its own: under the lock it sees what another one has given back.
    row = db.execute(move, {**entry, "id": locked.id, "valid_to": valid_to}).one_or_none()
    if row is None:
        return None
    bundle = Bundle.of(row)
    if bundle.valid_to != locked.valid_to:
        record(db, *validity_events(bundle, actor=actor, now=now))
    return bundle


def take_all(
    db: Connection, bundle: Bundle, *, valid_to: datetime | None, reason: str, actor: Actor, now: datetime
) -> Bundle:
    """Take all credits of a locked bundle, which is valid to then; the product can be bought again."""
    values = {"id": bundle.id, "left": bundle.remaining_sessions, "valid_to": valid_to}
    return Bundle.of(db.execute(_TAKE_ALL, {**entry_values(actor=actor, now=now, reason=reason), **values}).one())


def validity_events(bundle: Bundle, *, actor: Actor, now: datetime) -> list[BundleValiditySet]:
    """The event from which the timers of a bundle follow; none for a bundle without an end.

    Recorded with every change of `valid_to`: each has timers of its own, and those of the ones before do nothing.
    """
    if bundle.valid_to is None:
        return []
    return [BundleValiditySet.about(bundle, actor=actor, now=now, status=bundle.status_at(now))]


def exhausted_events(bundle: Bundle, *, actor: Actor, now: datetime) -> list[BundleExhausted]:
    """The event of a bundle that has just lost its last credit; none while it has some."""
    if bundle.remaining_sessions:
        return []
    return [BundleExhausted.about(bundle, actor=actor, now=now, status=bundle.status_at(now))]


def entry_values(
    *,
    booking_id: UUID | None = None,
    seat_id: UUID | None = None,
    reason: str | None = None,
    actor: Actor,
    now: datetime,
) -> dict[str, object]:
    """The parameters of an entry in a statement of `moving`."""
    return {
        "entry_id": uuid7(),
        "booking_id": booking_id,
        "seat_id": seat_id,
        "reason": reason,
        "actor": actor.name,
        "now": now,
    }


def _refusal(
    db: Connection,
    bundle_purchase_id: UUID,
    mentee_user_id: UUID,
    course_id: UUID | None,
    duration_minutes: int,
    now: datetime,
) -> NotFound | Conflict:
    row = db.execute(bundle_query(bundle_purchase_id)).one_or_none()
    if row is None or row.mentee_user_id != mentee_user_id:
        return NotFound("There is no such bundle.")
    bundle = Bundle.of(row)
    if bundle.course_id != course_id:
        return unusable("other_course", "This bundle is for another course; pay with a bundle of this course.")
    if bundle.duration_minutes not in (None, duration_minutes):
        return unusable("wrong_duration", f"This bundle pays for sessions of {bundle.duration_minutes} minutes only.")
    if bundle.awaits_payment:
        return unusable("unpaid", "This bundle awaits its payment; pay it first.")
    if bundle.valid_to is not None and bundle.valid_to <= now:
        return unusable("expired", "This bundle has expired; pay with another one, or buy a new one.")
    return unusable("empty", "All sessions of this bundle are used; pay with another one, or buy a new one.")


def unusable(reason: str, message: str) -> Conflict:
    """The refusal of a bundle that cannot be used, with the reason in one word."""
    return Conflict(message, code="bundle_unusable", details={"bundlePurchaseId": [reason]})
