"""The events of payments, which name people and things by the marketplace's own ids, too."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from models.base import sql
from workflows.events.event_types import PaymentEvent
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.payments.records import Payment

_EXTERNAL_IDS = sql(
    """
SELECT b.external_id AS booking_external_id, p.external_id AS bundle_purchase_external_id,
       u.external_id AS user_external_id, m.external_id AS mentor_profile_external_id
FROM payments
LEFT JOIN bookings b ON b.id = payments.booking_id
LEFT JOIN bundle_purchases p ON p.id = payments.bundle_purchase_id
LEFT JOIN users u ON u.id = payments.user_id
LEFT JOIN mentor_profiles m ON m.id = payments.mentor_profile_id
WHERE payments.id = :id
"""
)


def tell(
    db: Connection, event: type[PaymentEvent], payment: Payment, *, actor: Actor, now: datetime, **besides: Any
) -> None:
    """Record the event about a payment, which is the row after the transition.

    Args:
        besides: fields of the event that the payment does not have.
    """
    external_ids = db.execute(_EXTERNAL_IDS, {"id": payment.id}).one()._mapping
    record(db, event.about(payment, actor=actor, now=now, **external_ids, **besides))
