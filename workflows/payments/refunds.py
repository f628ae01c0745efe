"""Refunds that are sent back through the payment provider: the message, and what it is read from."""

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import BigInteger, Text, Uuid

from models.base import Timestamp, sql
from workflows.payments.records import LATEST_OF_REFUND

REFUNDS = sql(
    f"""
SELECT due.id AS refund_id, due.amount, payment.currency, payment.reference, due.created_at,
       done.id IS NOT NULL AS is_done, (
           SELECT failed.reference FROM payment_entries failed
           WHERE failed.refund_id = due.id AND failed.kind = 'refund_failed' ORDER BY failed.sequence DESC LIMIT 1
       ) AS failed
FROM payment_entries due
JOIN payments payment ON payment.id = due.payment_id
{LATEST_OF_REFUND}
WHERE due.id = ANY(CAST(:ids AS uuid[]))
"""
).columns(refund_id=Uuid(), created_at=Timestamp)
PAGES = sql(
    """
SELECT id AS payment_id, checkout_id AS page, checkout_expires_at AS expires_at FROM payments
WHERE id = ANY(CAST(:ids AS uuid[]))
"""
).columns(payment_id=Uuid(), expires_at=Timestamp)
# Money that an operator has confirmed was paid elsewhere, and goes back from there.
CAME_BY = sql(
    "SELECT EXISTS (SELECT FROM payment_entries WHERE payment_id = :payment_id AND kind = 'charge' AND actor = :actor)"
)
# Money of a payment that belongs to nothing here, the latest event about it first.
SURPLUSES = sql(
    """
SELECT data ->> 'reference' AS reference, CAST(data ->> 'surplus_amount' AS bigint) AS surplus_amount,
       data ->> 'surplus_currency' AS surplus_currency, data ->> 'failed' AS failed
FROM events WHERE subject_id = :payment_id AND type = 'payment.surplus' ORDER BY sequence DESC
"""
).columns(reference=Text, surplus_amount=BigInteger, surplus_currency=Text, failed=Text)


def return_id_of(reference: str) -> UUID:
    """The id of the return of money that belongs to no payment: the same of each event about that money."""
    return uuid5(NAMESPACE_URL, reference)


@dataclass(frozen=True, kw_only=True)
class RefundMessage:
    """A refund to be sent, in minor units.

    Args:
        reference: the provider's, of the money that arrived.
        created_at: when it became due; `prepared_at` is by the database's clock, too.
        failed: the provider's name of a refund that has failed, where no operator has asked for another one.
        surplus_of: the payment for which money has arrived that is none of it; None for a refund of the ledger.
    """

    refund_id: UUID
    amount: int
    currency: str
    reference: str
    created_at: datetime
    prepared_at: datetime
    failed: str | None = None
    surplus_of: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class PageMessage:
    """A page of the provider that is to be closed, since nobody waits for its payment any longer."""

    payment_id: UUID
    page: str
    created_at: datetime
    prepared_at: datetime
