"""The ledger of a payment: each statement moves the counters and writes the entry."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.sql.expression import TextualSelect
from uuid_utils.compat import uuid7

from models.base import sql
from models.payments import PaymentStatus
from workflows.events.event_types import PaymentPaid, PaymentRefundDue, PaymentRefunded
from workflows.identity.actor import STRIPE, Actor
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import Conflict, InvalidTransition
from workflows.payments.checkout import outdate_page
from workflows.payments.news import tell
from workflows.payments.records import LATEST_OF_REFUND, Payment

LATE = "The money arrived too late."


def _moving(changes: str, *, kind: str) -> TextualSelect:
    # Under the lock of the payment's row, which the caller has taken: entries are in the order of their moves.
    return sql(
        f"""
WITH payment AS (UPDATE payments SET {changes} WHERE id = :id RETURNING *),
entry AS (
    INSERT INTO payment_entries (id, payment_id, kind, amount, refund_id, reason, reference, actor, created_at)
    SELECT :entry_id, id, '{kind}', CAST(:moved AS bigint), :refund_id, :reason, :reference, :actor, :now FROM payment
)
SELECT {Payment.names()} FROM payment
"""
    ).columns(*Payment.columns())


_CHARGE = _moving("status = 'paid', paid_at = :now, reference = :reference, charged = amount", kind="charge")
_OWE = _moving("refund_due = refund_due + CAST(:moved AS bigint)", kind="refund_due")
_REFUND = _moving(
    "refund_due = refund_due - CAST(:moved AS bigint), refunded = refunded + CAST(:moved AS bigint)", kind="refund_done"
)
_FAIL = _moving(
    "refund_due = refund_due + CAST(:moved AS bigint), refunded = refunded - CAST(:moved AS bigint)",
    kind="refund_failed",
)
_ENTRY = sql(
    f"""
SELECT due.amount, done.reference FROM payment_entries due {LATEST_OF_REFUND}
WHERE due.id = :id AND due.payment_id = :payment_id AND due.kind = 'refund_due'
"""
)


def charge(db: Connection, payment: Payment, *, reference: str, actor: Actor, now: datetime) -> Payment:
    """Enter the amount of a locked payment that has arrived; of one that nobody waits for any more, all is to go back.

    Raises:
        InvalidTransition: the payment is paid or waived.
        Conflict: `reference_in_use`, by another payment.
    """
    if payment.status in (PaymentStatus.PAID, PaymentStatus.WAIVED):
        raise InvalidTransition(f"A payment that is {payment.status} cannot become paid.")
    with constraint_errors():
        paid = _move(db, _CHARGE, payment, payment.amount, reference=reference, actor=actor, now=now)
    tell(db, PaymentPaid, paid, actor=actor, now=now)
    if actor != STRIPE:
        outdate_page(db, paid, actor=actor, now=now)
    if payment.status is PaymentStatus.AWAITING:
        return paid
    return owe(db, paid, paid.amount, reason=LATE, actor=actor, now=now)


def owe(db: Connection, payment: Payment, amount: int, *, reason: str | None, actor: Actor, now: datetime) -> Payment:
    """Enter that a part of a locked payment is to go back: as much as is left of it, where that is less.

    Args:
        amount: in minor units; with 0, and of a payment that nothing was charged for, nothing is entered.
    """
    moved = min(amount, payment.charged - payment.refund_due - payment.refunded)
    if moved <= 0:
        return payment
    refund_id = uuid7()
    owing = _move(db, _OWE, payment, moved, entry_id=refund_id, reason=reason, actor=actor, now=now)
    about = {"refund_id": refund_id, "refund_amount": moved}
    tell(db, PaymentRefundDue, owing, actor=actor, now=now, **about)
    return owing


def settle_refund(
    db: Connection, payment: Payment, refund_id: UUID, *, reference: str, actor: Actor, now: datetime
) -> Payment:
    """Enter that a refund of a locked payment has gone back; the same again changes nothing.

    Raises:
        Conflict: `already_refunded`, under another reference.
    """
    found = db.execute(_ENTRY, {"id": refund_id, "payment_id": payment.id}).one()
    if found.reference is not None:
        if found.reference != reference:
            raise Conflict("This refund is done already, under another reference.", code="already_refunded")
        return payment
    refunded = _move(db, _REFUND, payment, found.amount, refund_id=refund_id, reference=reference, actor=actor, now=now)
    about = {"refund_id": refund_id, "refund_amount": found.amount, "refund_reference": reference}
    tell(db, PaymentRefunded, refunded, actor=actor, now=now, **about)
    return refunded


def fail_refund(
    db: Connection,
    payment: Payment,
    refund_id: UUID,
    *,
    reference: str,
    reason: str | None,
    actor: Actor,
    now: datetime,
) -> bool:
    """Enter that a refund of a locked payment, which was done under that reference, has failed: it is due again.

    Returns:
        Whether it was done under it.
    """
    found = db.execute(_ENTRY, {"id": refund_id, "payment_id": payment.id}).one()
    if found.reference != reference:
        return False
    entry = {"refund_id": refund_id, "reference": reference, "reason": reason}
    owing = _move(db, _FAIL, payment, found.amount, actor=actor, now=now, **entry)
    about = {"refund_id": refund_id, "refund_amount": found.amount}
    tell(db, PaymentRefundDue, owing, actor=actor, now=now, **about)
    return True


def _move(
    db: Connection, statement: TextualSelect, payment: Payment, moved: int, *, actor: Actor, **entry: Any
) -> Payment:
    empty = {"entry_id": uuid7(), "refund_id": None, "reason": None, "reference": None}
    values = {**empty, **entry, "id": payment.id, "moved": moved, "actor": actor.name}
    return Payment.of(db.execute(statement, values).one())
