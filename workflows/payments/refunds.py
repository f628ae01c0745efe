"""Refunds that are sent back through the payment provider: the message, and what it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid

from models.base import Timestamp, sql

REFUNDS = sql(
    """
SELECT due.id AS refund_id, due.amount, payment.currency, payment.reference, due.created_at,
       done.id IS NOT NULL AS is_done
FROM payment_entries due
JOIN payments payment ON payment.id = due.payment_id
LEFT JOIN payment_entries done ON done.refund_id = due.id
WHERE due.id = ANY(CAST(:ids AS uuid[]))
"""
).columns(refund_id=Uuid(), created_at=Timestamp)
# Money that an operator has confirmed was paid elsewhere, and goes back from there.
CAME_BY = sql(
    "SELECT EXISTS (SELECT FROM payment_entries WHERE payment_id = :payment_id AND kind = 'charge' AND actor = :actor)"
)


@dataclass(frozen=True, kw_only=True)
class RefundMessage:
    """A refund to be sent, in minor units.

    Args:
        reference: the provider's, of the money that arrived.
        created_at: when it became due; `prepared_at` is by the database's clock, too.
    """

    refund_id: UUID
    amount: int
    currency: str
    reference: str
    created_at: datetime
    prepared_at: datetime
