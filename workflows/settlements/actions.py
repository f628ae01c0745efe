"""The end of a payment's wait, each in one transaction with what it means for what waited; and refunds by staff.

Locks are taken in the order of `kernel/locks.py`: what waits, and then the payment. Of a confirmation, a lapse and a
cancellation at one time, the first to lock decides, and the others see what it decided.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import structlog
from sqlalchemy import Connection

from models.payments import PaymentStatus
from workflows.audit.log import write_audit_entry
from workflows.bookings.awaiting import UNPAID, accept_paid, end_unpaid, lock_bookings_of
from workflows.bookings.records import Booking
from workflows.bundles.ledger import take_all
from workflows.bundles.purchase import open_paid
from workflows.bundles.records import Bundle
from workflows.bundles.records import locked as locked_bundle
from workflows.events.event_types import PaymentSurplus
from workflows.events.record import savepoint
from workflows.groups.awaited import free_seat, give_seat
from workflows.groups.place import is_open, read_group, read_place
from workflows.groups.records import Group
from workflows.groups.waitlist import offer_seats
from workflows.identity.access import require_operator
from workflows.identity.actor import STRIPE, SYSTEM, Actor
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition, Stale
from workflows.kernel.locks import lock_group, lock_person_and_group
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.payments.actions import end_waiting
from workflows.payments.ledger import charge, fail_refund, owe, settle_refund
from workflows.payments.news import tell
from workflows.payments.records import Payment, PaymentOfRefund, locked, with_refunds
from workflows.payments.refunds import CAME_BY, SURPLUSES, return_id_of

log = structlog.get_logger(__name__)

NOT_PAID = "It was not paid in time."
CANCELLED_BEFORE = "It was cancelled before the money arrived."


def confirm(
    db: Connection,
    *,
    actor: Actor,
    payment: Payment,
    reference: str,
    amount: int,
    currency: str,
    now: datetime,
    policy: OperatorPolicy = DEFAULT_POLICY,
) -> Payment:
    """Enter that the amount of a payment has arrived, and give what waits for it; the same again changes nothing.

    Of a payment that has lapsed or was cancelled, the whole amount is to go back.

    Args:
        reference: the payer's or the provider's own name of the money.
        amount: in minor units of `currency`.
        policy: how long a freed seat of a group is kept for a person to whom it is offered.

    Raises:
        Forbidden: the caller is neither an operator, nor Stripe, nor the system.
        InvalidTransition: the payment is waived.
        Conflict: `already_paid` under another reference; `reference_in_use` by another payment; `wrong_amount`, with
            the right one in `details.amount`.
    """
    if actor not in (SYSTEM, STRIPE):
        require_operator(actor, "Only an operator confirms a payment.")
    waiting = _Waiting.of(db, payment, to_end=payment.due_at <= now)
    present = locked(db, payment.id)
    if present.status is PaymentStatus.PAID:
        if present.reference == reference:
            return with_refunds(db, present)
        raise Conflict("This payment has been paid already, under another reference.", code="already_paid")
    if (amount, currency) != (present.amount, present.currency):
        raise Conflict(
            "This is not the amount of the payment.",
            code="wrong_amount",
            details={"amount": {"amount": present.amount, "currency": present.currency}},
        )
    if present.status is PaymentStatus.AWAITING and waiting.is_over(present, now):
        # Its timer is late: nothing that has begun or has expired can be given.
        waiting.free(present, now=now, policy=policy)
        present = locked(db, payment.id)
    paid = charge(db, present, reference=reference, actor=actor, now=now)
    if present.status is PaymentStatus.AWAITING:
        gone = waiting.give(paid, now=now)
        owe(db, paid, gone, reason=CANCELLED_BEFORE, actor=actor, now=now)
    return with_refunds(db, paid)


def take_arrival(
    db: Connection,
    *,
    payment: Payment,
    reference: str,
    amount: int | None,
    currency: str,
    now: datetime,
    policy: OperatorPolicy = DEFAULT_POLICY,
) -> str | None:
    """Confirm a payment by money that has arrived at Stripe; the code of the refusal where it does not belong to it.

    Money of another amount, money for what is paid otherwise or waived, and money that another payment has already
    belongs to nothing here: operators see it in the log and in the audit.
    """
    money: dict[str, Any] = {"reference": reference, "amount": -1 if amount is None else amount, "currency": currency}
    try:
        # A refusal is answered as a success, and leaves nothing but its entry.
        with savepoint(db):
            confirm(db, actor=STRIPE, payment=payment, **money, now=now, policy=policy)
    except (Conflict, InvalidTransition) as refused:
        if refused.code not in ("already_paid", "wrong_amount", "reference_in_use", "invalid_transition"):
            raise
        log.error("payment.surplus", payment_id=payment.id, reference=reference, reason=refused.code)
        return refused.code
    return None


def return_surplus(
    db: Connection, *, payment: Payment, reference: str, amount: int, currency: str, now: datetime
) -> None:
    """Have money sent back, whole, that has arrived at Stripe for what was waived, or paid at Stripe before.

    Money for what an operator has confirmed by hand stays: it may be the very money that was confirmed.
    """
    # It may have been waived since the caller read it.
    present = locked(db, payment.id)
    if present.status is not PaymentStatus.WAIVED and not db.scalar(
        CAME_BY, {"payment_id": payment.id, "actor": STRIPE.name}
    ):
        return
    surplus = {"reference": reference, "surplus_amount": amount, "surplus_currency": currency, "failed": None}
    tell(db, PaymentSurplus, present, actor=STRIPE, now=now, **surplus)


def waive(db: Connection, *, actor: Actor, payment: Payment, reason: str, now: datetime) -> Payment:
    """Let a payment that is awaited go, as an operator, and give what waits for it; the same again changes nothing.

    Args:
        reason: kept in the audit.

    Raises:
        Forbidden: the caller is no operator.
        InvalidTransition: the payment is no longer awaited; or what waits for it has begun or has expired.
    """
    require_operator(actor, "Only an operator waives a payment.")
    waiting = _Waiting.of(db, payment)
    present = locked(db, payment.id)
    if present.status is PaymentStatus.WAIVED:
        return with_refunds(db, present)
    if present.status is not PaymentStatus.AWAITING:
        raise InvalidTransition(f"A payment that is {present.status} cannot become waived.")
    if waiting.is_over(present, now):
        raise InvalidTransition("What waits for this payment has begun or has expired; it can no longer be given.")
    waived = end_waiting(db, present, PaymentStatus.WAIVED, actor=actor, now=now)
    waiting.give(waived, now=now)
    subject = ("payment", payment.id)
    write_audit_entry(db, actor=actor, action="payment.waived", subject=subject, reason=reason, now=now)
    return with_refunds(db, waived)


def lapse(db: Connection, *, payment: Payment, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY) -> None:
    """End the wait for a payment that did not arrive in time, and free what waited; nothing where it has ended."""
    waiting = _Waiting.of(db, payment, to_end=True)
    present = locked(db, payment.id)
    if present.status is PaymentStatus.AWAITING:
        waiting.free(present, now=now, policy=policy)


def grant_refund(
    db: Connection,
    *,
    actor: Actor,
    payment: Payment,
    amount: int,
    currency: str,
    reason: str,
    any_version: bool = False,
    now: datetime,
) -> Payment:
    """Enter that a part of what was paid is to go back, as an operator; also after completion.

    Args:
        payment: as the caller saw it.
        amount: in minor units of `currency`, above 0.
        any_version: the caller decided on no version in particular.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: the amount is 0.
        Stale: the payment has changed since it was read.
        Conflict: `refund_exceeds_payment`, with what is left of it in `details.amount`.
    """
    require_operator(actor, "Only an operator grants a refund.")
    if amount == 0:
        raise Invalid("A refund is more than nothing.", details={"amount.amount": ["must be at least 1"]})
    present = locked(db, payment.id)
    if not any_version and present.version != payment.version:
        raise Stale("payment")
    left = present.charged - present.refund_due - present.refunded
    if amount > left or currency != present.currency:
        raise Conflict(
            "This is more than what is left of the payment.",
            code="refund_exceeds_payment",
            details={"amount": {"amount": left, "currency": present.currency}},
        )
    return with_refunds(db, owe(db, present, amount, reason=reason, actor=actor, now=now))


def complete_refund(
    db: Connection, *, actor: Actor, payment: PaymentOfRefund, reference: str, now: datetime
) -> Payment:
    """Enter that a refund has gone back, as an operator; the same again changes nothing.

    Raises:
        Forbidden: the caller is neither an operator, nor Stripe, nor the system.
        Conflict: `already_refunded`, under another reference.
    """
    if actor not in (SYSTEM, STRIPE):
        require_operator(actor, "Only an operator enters a refund.")
    present = locked(db, payment.id)
    done = settle_refund(db, present, payment.refund_id, reference=reference, actor=actor, now=now)
    return with_refunds(db, done)


def reopen_refund(
    db: Connection, *, payment: PaymentOfRefund, reference: str, reason: str | None, now: datetime
) -> bool:
    """Enter that Stripe has not paid out a refund that it had taken: it is due again, and an operator sends it.

    Returns:
        Whether it was done under that reference; where not, nothing has changed.
    """
    present = locked(db, payment.id)
    about: dict[str, Any] = {"reference": reference, "reason": reason, "actor": STRIPE, "now": now}
    if not fail_refund(db, present, payment.refund_id, **about):
        return False
    log.error("payment.refund_failed", payment_id=payment.id, refund_id=payment.refund_id, reference=reference)
    return True


def money_of_return(db: Connection, *, payment_id: UUID, refund_id: UUID, reference: str) -> dict[str, Any] | None:
    """The money that belongs to no payment and whose return has failed; None where it is unknown, or known to fail.

    Args:
        payment_id: of the payment for which the money had arrived.
        refund_id: of the return.
        reference: Stripe's name of the return.
    """
    rows = db.execute(SURPLUSES, {"payment_id": payment_id})
    found = [row for row in rows if return_id_of(row.reference) == refund_id]
    if not found or reference in {row.failed for row in found}:
        return None
    return {**found[0]._mapping, "failed": reference}


def reopen_return(db: Connection, *, payment_id: UUID, refund_id: UUID, reference: str, now: datetime) -> None:
    """Have an operator look at the return of money that belongs to no payment: Stripe had taken it, and it has failed.

    Its event is recorded again, with a delivery of the refund that is dead until an operator retries it.
    """
    present = locked(db, payment_id)
    money = money_of_return(db, payment_id=payment_id, refund_id=refund_id, reference=reference)
    if money is None:
        return
    tell(db, PaymentSurplus, present, actor=STRIPE, now=now, **money)
    log.error("payment.refund_failed", payment_id=payment_id, refund_id=refund_id, reference=reference)


@dataclass(frozen=True)
class _Waiting:
    """What waits for a payment, locked before it."""

    db: Connection
    bookings: list[Booking]
    group: Group | None  # of a seat
    bundle: Bundle | None

    @classmethod
    def of(cls, db: Connection, payment: Payment, *, to_end: bool = False) -> Self:
        """Lock it; and, to free its time, the calendar of its mentor before it."""
        if payment.seat_id is not None:
            assert payment.booking_id is not None
            if not lock_person_and_group(db, user_id=payment.user_id, booking_id=payment.booking_id):
                lock_group(db, payment.booking_id)
            return cls(db, [], read_group(db, payment.booking_id), None)
        bundle = None if payment.bundle_purchase_id is None else locked_bundle(db, payment.bundle_purchase_id)
        return cls(db, lock_bookings_of(db, payment, to_end=to_end), None, bundle)

    def is_over(self, payment: Payment, now: datetime) -> bool:
        """Whether a booking or the group has begun, the group is cancelled, or the bundle has expired."""
        if self.group is not None:
            return not is_open(self.group, read_place(self.db, self.group.id, payment.user_id), now=now)
        ends = [booking.start_time for booking in self.bookings]
        if self.bundle is not None and self.bundle.valid_to is not None:
            ends.append(self.bundle.valid_to)
        return any(end <= now for end in ends)

    def give(self, payment: Payment, *, now: datetime) -> int:
        """Give what still waits; returns the share of what was cancelled meanwhile, in minor units."""
        payer = Actor.person(payment.user_id, None)
        if self.bundle is not None:
            open_paid(self.db, self.bundle, actor=payer, now=now)
        if self.group is not None:
            give_seat(self.db, self.group, payment, actor=payer, now=now)
        for booking in self.bookings:
            if booking.awaits_payment:
                accept_paid(self.db, booking, actor=payer, now=now)
        return sum(booking.price_amount for booking in self.bookings if not booking.awaits_payment)

    def free(self, payment: Payment, *, now: datetime, policy: OperatorPolicy) -> None:
        for booking in self.bookings:
            if booking.awaits_payment:
                end_unpaid(self.db, booking, status=PaymentStatus.LAPSED, reason=UNPAID, actor=SYSTEM, now=now)
        if self.group is not None:
            free_seat(self.db, self.group, payment, PaymentStatus.LAPSED, actor=SYSTEM, now=now)
            offer_seats(self.db, group=self.group, now=now, policy=policy)
        if self.bundle is not None:
            take_all(self.db, self.bundle, valid_to=now, reason=NOT_PAID, actor=SYSTEM, now=now)
            end_waiting(self.db, payment, PaymentStatus.LAPSED, actor=SYSTEM, now=now)
