"""Seats of a group session: take one, leave it by the cancellation policy, and give everything back to all."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid
from uuid_utils.compat import uuid7

from models.base import sql
from models.payments import PaymentStatus
from models.sessions import CancelledBy
from workflows.audit.log import write_audit_entry
from workflows.bundles.ledger import give_back, spend
from workflows.events.event_types import GroupSessionFull, SeatJoined, SeatLeft, SeatRefunded
from workflows.events.record import record
from workflows.groups.awaited import ask_for_seat, free_all_seats, free_seat
from workflows.groups.place import Place, is_open, lock_place, read_group, require_joinable, require_open
from workflows.groups.records import Group
from workflows.groups.waitlist import CANCELLED, after_offers, drop_waitlist, offer_seats
from workflows.identity.access import require_operator, require_purchase
from workflows.identity.actor import Actor
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition, NotFound
from workflows.kernel.locks import lock_group
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.payments.actions import PAY_WITHIN, owe_back
from workflows.payments.records import locked
from workflows.terms.cancellation import Quote, end_of_free_time_after_move, quote_at, quote_by_policy
from workflows.terms.expected_terms import NOTHING_EXPECTED, ExpectedTerms
from workflows.terms.questions import NO_ANSWERS, Answers

FEE_WAIVED = "The fee was waived."
# `offered` is 1 where the seat is the one that is kept for this person, whose entry in the waiting list then goes.
_TAKING = """
WITH entry AS (
    DELETE FROM waitlist_entries
    WHERE booking_id = :booking_id AND user_id = :user_id
),
seat AS (
    UPDATE group_sessions SET {counted}
    WHERE booking_id = :booking_id AND seats_taken + seats_offered < capacity + :offered
    RETURNING booking_id
),
{participant}
answered AS (
    INSERT INTO seat_answers (booking_id, user_id, answers)
    SELECT booking_id, :user_id, CAST(:answers AS text) FROM seat WHERE CAST(:answers AS text) IS NOT NULL
),
attending AS (
    INSERT INTO person_busy (id, user_id, busy, booking_id, may_overlap)
    -- It may have moved since the group was read.
    SELECT :busy_id, :user_id, tstzrange(b.start_time, b.end_time), b.id, CAST(:mentee_overlap AS boolean)
    FROM seat JOIN bookings b ON b.id = seat.booking_id
)
SELECT booking_id FROM seat
"""
_PARTICIPANT = """
participant AS (
    INSERT INTO booking_participants (
        booking_id, user_id, seat_id, price_amount, price_currency, product_id, bundle_purchase_id
    )
    SELECT booking_id, :user_id, :seat_id, :price_amount, :price_currency,
           :product_id, :bundle_purchase_id
    FROM seat
),
"""
_TAKE = sql(
    _TAKING.format(
        counted="seats_taken = seats_taken + 1, seats_offered = seats_offered - :offered", participant=_PARTICIPANT
    )
)
# Until it is paid, a seat counts as an offered one.
_KEEP = sql(_TAKING.format(counted="seats_offered = seats_offered + 1 - :offered", participant=""))
_LEAVE = sql("""
WITH participant AS (
    DELETE FROM booking_participants
    WHERE booking_id = :booking_id AND user_id = :user_id
    RETURNING seat_id, booking_id, user_id, price_amount
),
kept AS (
    INSERT INTO seat_cancellations (
        seat_id, booking_id, user_id, late, price_amount, fee_amount, refund_amount, currency, reason
    )
    SELECT seat_id, booking_id, user_id, :late, price_amount, :fee_amount, :refund_amount, :currency, :reason
    FROM participant
),
answered AS (
    DELETE FROM seat_answers WHERE booking_id = :booking_id AND user_id = :user_id
),
released AS (
    DELETE FROM person_busy WHERE booking_id = :booking_id AND user_id = :user_id
)
UPDATE group_sessions SET seats_taken = seats_taken - 1 FROM participant
WHERE group_sessions.booking_id = participant.booking_id
""")
_REASON = sql("SELECT reason FROM seat_cancellations WHERE seat_id = :seat_id")
_RELEASE_ALL = sql("DELETE FROM person_busy WHERE booking_id = :booking_id AND mentor_profile_id IS NULL")
# Bundles are locked in the order of their ids: one person may have paid for seats in two groups that are cancelled.
_WAIVE = """
waived AS (
    UPDATE seat_cancellations AS seat SET waived_at = :now, fee_amount = 0, refund_amount = kept.price_amount
    FROM seat_cancellations AS kept
    WHERE kept.seat_id = seat.seat_id AND seat.booking_id = :booking_id AND seat.waived_at IS NULL
      AND seat.user_id = coalesce(:user_id, seat.user_id)
      AND (seat.fee_amount > 0 OR EXISTS (
          SELECT FROM bundle_entries e WHERE e.seat_id = seat.seat_id
          HAVING bool_and(e.kind = 'spend')
      ))
    RETURNING seat.seat_id, seat.user_id, kept.fee_amount, seat.currency
),
fee AS (
    SELECT w.user_id, w.seat_id, w.fee_amount AS amount, w.currency, e.bundle_purchase_id, true AS waived
    FROM waived w LEFT JOIN bundle_entries e ON e.seat_id = w.seat_id AND e.kind = 'spend'
)
"""
_IN_ORDER = "ORDER BY bundle_purchase_id, user_id, seat_id"
_OWED = {"user_id": Uuid(), "seat_id": Uuid(), "bundle_purchase_id": Uuid()}
_FEES = sql(f"WITH {_WAIVE} SELECT * FROM fee {_IN_ORDER}").columns(**_OWED)
_PAID_AND_FEES = sql(f"""
WITH {_WAIVE}
SELECT user_id, seat_id, price_amount AS amount, price_currency AS currency, bundle_purchase_id, false AS waived
FROM booking_participants WHERE booking_id = :booking_id AND seat_id IS NOT NULL
UNION ALL SELECT * FROM fee {_IN_ORDER}
""").columns(**_OWED)
_WAS_WAIVED = sql("""
SELECT bool_or(waived_at IS NOT NULL) FROM seat_cancellations
WHERE booking_id = :booking_id AND user_id = :user_id
""")


def join(
    db: Connection,
    *,
    actor: Actor,
    group: Group,
    mentee_user_id: UUID,
    bundle_purchase_id: UUID | None,
    now: datetime,
    policy: OperatorPolicy,
    offered_only: bool = False,
    answers: Answers = NO_ANSWERS,
    expected: ExpectedTerms = NOTHING_EXPECTED,
    pay_within: timedelta = PAY_WITHIN,
) -> Group:
    """Take a seat for a person, paid by the group's price or with a credit, and block their time.

    Where the price is paid before, the seat is kept for the person until then.

    Args:
        bundle_purchase_id: the bundle whose credit pays; None for the price.
        policy: how long a seat is kept for a person to whom it is offered, and whether mentees may overlap.
        offered_only: whether it has to be the seat that is offered to them.
        expected: the terms that the person was shown; a seat that a credit pays for has the price 0.
        pay_within: how long its payment is awaited.

    Returns:
        the group as it stands then, with the payment that is awaited.

    Raises:
        NotFound: no such user, or no such bundle of theirs.
        InvalidTransition: the group session has begun or is cancelled.
        Invalid: the person is its mentor; the answers do not fit the questions.
        Conflict: `not_bookable`; `already_joined`; `no_offer`; `group_full`; `slot_taken` with `details.mentee`;
            `bundle_unusable`; `price_changed` and `terms_changed` where the group's terms are not the expected ones.
    """
    place = lock_place(db, group, mentee_user_id)
    require_joinable(group, place, now=now)
    place = after_offers(db, group, place, now=now, policy=policy)
    is_offered = place.offered_until is not None
    if offered_only and not is_offered:
        raise Conflict(code="no_offer")
    seat = _agreed_seat(group, actor, mentee_user_id, bundle_purchase_id, expected)
    kept = answers.kept(group.questions)
    is_kept = group.is_prepaid and bundle_purchase_id is None
    _take(db, group, {**seat, "answers": kept}, kept=is_kept, offered=is_offered, mentee_overlap=policy.mentee_overlap)
    if bundle_purchase_id is not None:
        spend(
            db,
            bundle_purchase_id=bundle_purchase_id,
            mentee_user_id=mentee_user_id,
            course_id=group.course_id,
            duration_minutes=group.duration_minutes,
            booking_id=group.id,
            seat_id=seat["seat_id"],
            actor=actor,
            now=now,
        )
    if is_kept:
        joined = ask_for_seat(db, group, seat, actor=actor, now=now, pay_within=pay_within)
    else:
        joined = read_group(db, group.id)
        record(db, SeatJoined.about(joined, actor=actor, now=now, currency=group.price_currency, **seat))
    # A group whose last seat was kept for this person has been full before.
    if joined.full and not is_offered:
        record(db, GroupSessionFull.about(joined, actor=actor, now=now))
    return joined


def _agreed_seat(
    group: Group, actor: Actor, mentee_user_id: UUID, bundle_purchase_id: UUID | None, expected: ExpectedTerms
) -> dict[str, Any]:
    """The columns of a seat on the terms that its person expects."""
    seat: dict[str, Any] = {
        "user_id": mentee_user_id,
        "seat_id": uuid7(),
        "price_amount": 0 if bundle_purchase_id else group.price_amount,
        "product_id": None if bundle_purchase_id else group.product_id,
        "bundle_purchase_id": bundle_purchase_id,
    }
    require_purchase(actor, seat["price_amount"])
    expected.require_price(seat["price_amount"], group.price_currency)
    expected.require_cancellation(group)
    return seat


def _take(
    db: Connection, group: Group, seat: dict[str, Any], *, kept: bool, offered: bool, mentee_overlap: bool
) -> None:
    values = {
        **seat,
        "booking_id": group.id,
        "offered": int(offered),
        "price_currency": group.price_currency,
        "busy_id": uuid7(),
        "mentee_overlap": mentee_overlap,
    }
    with constraint_errors():
        taken = db.execute(_KEEP if kept else _TAKE, values).one_or_none()
    if taken is None:
        raise Conflict("All seats of this group session are taken; join its waiting list.", code="group_full")


def leave(
    db: Connection,
    *,
    actor: Actor,
    group: Group,
    mentee_user_id: UUID,
    reason: str | None,
    now: datetime,
    policy: OperatorPolicy,
    at_any_cost: bool = False,
) -> tuple[Group, Quote]:
    """Leave a seat by the group's cancellation policy, and offer it to the first in line.

    A seat that awaits its payment is left for nothing.

    An operator takes a person's seat away at any time before the start, without a fee.

    Args:
        reason: for the mentor, the bundle's ledger, and the person whose seat an operator takes away.
        policy: how long a seat is kept for a person to whom it is offered, and whether mentees may overlap.
        at_any_cost: whether a seat that cannot be left by the policy is left for its whole price.

    Returns:
        the group as it stands then, and what it cost.

    Raises:
        NotFound: no such user, or they have no seat.
        InvalidTransition: the group session has begun or is cancelled.
        Conflict: `not_cancellable`, by the policy.
    """
    place = lock_place(db, group, mentee_user_id)
    if not place.has_seat and not place.is_kept:
        raise NotFound("You have no seat in this group session.")
    require_open(group, place, now=now)
    if place.is_kept:
        return _leave_unpaid(db, group, place, actor=actor, now=now, policy=policy)
    cost = quote_seat(group, place, actor=actor, now=now)
    if at_any_cost and not cost.allowed:
        paid = _paid_for(place)
        cost = quote_at(group, cancelled_by=CancelledBy.MENTEE, **paid, now=now, late=True, fee_percent=100)
    require_leavable(cost)
    assert place.seat_id is not None
    costs = {name: getattr(cost, name) for name in ("late", "fee_amount", "refund_amount", "currency")}
    db.execute(_LEAVE, {"booking_id": group.id, "user_id": mentee_user_id, "reason": reason, **costs})
    of_seat = {"booking_id": group.id, "seat_id": place.seat_id}
    if cost.credit_returned:
        by_mentee = cost.cancelled_by is CancelledBy.MENTEE
        bundle = give_back(db, **of_seat, actor=actor, by_mentee=by_mentee, now=now, reason=reason)
        if bundle is not None:
            # Another transaction may have moved the end of the bundle since the quote read it.
            cost = replace(cost, credit_valid_to=bundle.valid_to)
    elif group.is_prepaid:
        owe_back(db, cost.refund_amount, **of_seat, reason="The seat was left.", actor=actor, now=now)
    left = read_group(db, group.id)
    about = {
        "user_id": mentee_user_id,
        "seat_id": place.seat_id,
        **costs,
        "bundle_purchase_id": place.bundle_purchase_id,
        "credit_returned": cost.credit_returned,
        "credit_valid_to": cost.credit_valid_to,
    }
    record(db, SeatLeft.about(left, actor=actor, now=now, **about))
    offer_seats(db, group=group, now=now, policy=policy)
    return read_group(db, group.id), cost


def _leave_unpaid(
    db: Connection, group: Group, place: Place, *, actor: Actor, now: datetime, policy: OperatorPolicy
) -> tuple[Group, Quote]:
    assert place.awaited_payment_id is not None
    free_seat(db, group, locked(db, place.awaited_payment_id), PaymentStatus.CANCELLED, actor=actor, now=now)
    offer_seats(db, group=group, now=now, policy=policy)
    by = CancelledBy.OPERATOR if actor.operator else CancelledBy.MENTEE
    free = quote_at(group, cancelled_by=by, price_amount=0, paid_by_credit=False, bundle_valid_to=None, now=now)
    return read_group(db, group.id), free


def refund_all(db: Connection, *, group: Group, actor: Actor, now: datetime) -> None:
    """Give every participant of a cancelled group everything back, and the fees to all who left it late.

    Its waiting list is dropped, and payments that are awaited for its seats end. By a durable effect of the
    cancellation, whatever led to it. Seats stay as they are: participants see the cancelled session.

    Args:
        group: cancelled, so that its seats do not move any more.
    """
    lock_group(db, group.id)
    # A person who joined while the session was being cancelled has a block that its cancellation did not see.
    db.execute(_RELEASE_ALL, {"booking_id": group.id})
    owed = db.execute(_PAID_AND_FEES, {"booking_id": group.id, "user_id": None, "now": now}).all()
    refunds = _refund(db, read_group(db, group.id), owed, actor=actor, now=now)
    dropped = drop_waitlist(db, group, reason=CANCELLED, now=now)
    if refunds or dropped:
        record(db, *refunds, *dropped)
    if group.is_prepaid:
        free_all_seats(db, group, PaymentStatus.CANCELLED, now=now)


def waive_seat_fee(
    db: Connection,
    *,
    actor: Actor,
    booking_id: UUID,
    session_id: UUID,
    mentee_user_id: UUID | None,
    reason: str,
    now: datetime,
) -> None:
    """Waive the fee of a person who left a group late, as an operator: it is refunded, or the credit returns.

    Waiving it again changes nothing. The reason is kept in the audit.

    Args:
        mentee_user_id: the person, whom a request has to name.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: no person is named.
        NotFound: the person has left no seat of this group.
        InvalidTransition: nothing was kept of what they paid.
    """
    require_operator(actor, "Only an operator can waive a fee.")
    if mentee_user_id is None:
        raise Invalid("Name the person who has left the group.", details={"userId": ["is required for a group"]})
    lock_group(db, booking_id)
    owed = db.execute(_FEES, {"booking_id": booking_id, "user_id": mentee_user_id, "now": now}).all()
    if not owed:
        was_waived = db.scalar(_WAS_WAIVED, {"booking_id": booking_id, "user_id": mentee_user_id})
        if was_waived is None:
            raise NotFound("This person has left no seat of this group session.")
        if not was_waived:
            raise InvalidTransition("Nothing was kept of what this person paid for the seat.")
        return
    group = read_group(db, booking_id)
    record(db, *_refund(db, group, owed, actor=actor, now=now))
    fee = {"amount": sum(seat.amount for seat in owed), "currency": group.price_currency}
    write_audit_entry(
        db,
        actor=actor,
        action="session.fee_waived",
        subject=("session", session_id),
        reason=reason,
        data={"fee": fee, "userId": str(mentee_user_id)},
        now=now,
    )


def _refund(
    db: Connection, group: Group, owed: Sequence[Row[Any]], *, actor: Actor, now: datetime
) -> list[SeatRefunded]:
    refunds = []
    for seat in owed:
        bundle = None
        if seat.bundle_purchase_id is not None:
            bundle = give_back(db, booking_id=group.id, seat_id=seat.seat_id, actor=actor, by_mentee=False, now=now)
        elif group.is_prepaid:
            reason = FEE_WAIVED if seat.waived else "The group session was cancelled."
            of_seat = {"booking_id": group.id, "seat_id": seat.seat_id}
            owe_back(db, seat.amount, **of_seat, reason=reason, actor=actor, now=now)
        about = {
            "user_id": seat.user_id,
            "seat_id": seat.seat_id,
            "refund_amount": seat.amount,
            "currency": seat.currency,
            "bundle_purchase_id": seat.bundle_purchase_id,
            "credit_returned": None if seat.bundle_purchase_id is None else bundle is not None,
            "credit_valid_to": bundle and bundle.valid_to,
            "waived": seat.waived,
        }
        refunds.append(SeatRefunded.about(group, actor=actor, now=now, **about))
    return refunds


def reason_for_leaving(db: Connection, seat_id: UUID) -> str | None:
    """The reason that was given when the seat was left or taken away; None where none was."""
    found: str | None = db.scalar(_REASON, {"seat_id": seat_id})
    return found


def quote_seat(group: Group, place: Place, *, actor: Actor, now: datetime) -> Quote:
    """The fee and refund of leaving a seat, by the group's policy; no fee where an operator takes the seat away.

    Nothing within 48 hours after the group has moved, and longer only by the policy.
    """
    hours = group.cancellation_window_hours
    free_until = place.moved_at and end_of_free_time_after_move(place.moved_at, group.start_time, window_hours=hours)
    by = CancelledBy.OPERATOR if actor.operator else CancelledBy.MENTEE
    left: dict[str, Any] = {"cancelled_by": by, "now": now, **_paid_for(place)}
    allowed = is_open(group, place, now=now)
    if free_until is not None and now <= free_until and not actor.operator:
        return quote_at(group, **left, allowed=allowed, free_until=free_until)
    return quote_by_policy(group, **left, start_time=group.start_time, accepted_at=None, is_open=allowed)


def _paid_for(place: Place) -> dict[str, Any]:
    return {
        "price_amount": place.price_amount or 0,
        "paid_by_credit": place.bundle_purchase_id is not None,
        "bundle_valid_to": place.bundle_valid_to,
    }


def require_leavable(quote: Quote) -> None:
    """Refuse what the policy does not allow, before the group session begins.

    Raises:
        Conflict: `not_cancellable`, to a participant whose group excludes leaving.
    """
    if not quote.allowed:
        raise Conflict(
            "This group session cannot be left, by its policy; ask its mentor or an operator.", code="not_cancellable"
        )
