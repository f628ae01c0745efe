"""Effects of the queue `webhooks` that send refunds back through the payment provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from workflows.events.delivery import Cancel, Delivery, SendResult
from workflows.events.event_types import PaymentRefundDue
from workflows.events.record import follow_up
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound, subscribe
from workflows.identity.actor import STRIPE
from workflows.kernel.errors import Conflict
from workflows.payments.records import PaymentOfRefund, refund_query
from workflows.payments.refunds import CAME_BY, REFUNDS, RefundMessage
from workflows.settlements.actions import complete_refund

log = structlog.get_logger(__name__)


def prepare_refunds(db: Connection, deliveries: Sequence[Delivery]) -> list[RefundMessage | Exception]:
    """The refund of each delivery, all of them read at once."""
    found = {row.refund_id: row for row in db.execute(REFUNDS, {"ids": [_refund_of(each) for each in deliveries]})}

    def message(delivery: Delivery) -> RefundMessage:
        row = found[_refund_of(delivery)]
        if row.is_done:
            raise Cancel("This refund was entered as done.")
        values = {name: value for name, value in row._mapping.items() if name != "is_done"}
        return RefundMessage(**values, prepared_at=delivery.now)

    return prepare_each(deliveries, message)


def settle_refund(db: Connection, delivery: Delivery, message: RefundMessage, sent: SendResult) -> None:
    """Enter a refund that was sent as done."""
    if sent.error is not None:
        return
    event = delivery.event
    assert isinstance(event, PaymentRefundDue)
    row = db.execute(refund_query(event.payment_id, message.refund_id)).one()
    try:
        complete_refund(
            db, actor=STRIPE, payment=PaymentOfRefund.of(row), reference=str(sent.content), now=delivery.now
        )
    except Conflict:
        # An operator has entered it meanwhile, and may have sent it, too.
        log.error("payment.refunded_twice", refund_id=message.refund_id, reference=sent.content)


def _refund_of(delivery: Delivery) -> UUID:
    assert isinstance(delivery.event, PaymentRefundDue)
    return delivery.event.refund_id


SEND_REFUND = register_outbound(
    OutboundEffect(
        name="payments.refund",
        queue="webhooks",
        transport="stripe",
        prepare=prepare_refunds,
        settle=settle_refund,
    )
)


@subscribe(PaymentRefundDue, name="payments.start_refund", queue="webhooks")
def start_refund(db: Connection, event: PaymentRefundDue, *, now: datetime) -> None:
    """Have what arrived through Stripe sent back through Stripe."""
    if db.scalar(CAME_BY, {"payment_id": event.payment_id, "actor": STRIPE.name}):
        follow_up(db, event, SEND_REFUND, [""])
