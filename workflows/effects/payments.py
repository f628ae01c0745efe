"""Effects of the queue `webhooks` that send refunds back through the payment provider, and close its pages."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from workflows.events.delivery import Cancel, Delivery, SendResult
from workflows.events.event_types import PaymentPageOutdated, PaymentRefundDue, PaymentSurplus
from workflows.events.record import follow_up
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound, subscribe
from workflows.identity.actor import STRIPE
from workflows.kernel.errors import Conflict
from workflows.payments.records import PaymentOfRefund, refund_query
from workflows.payments.refunds import CAME_BY, PAGES, REFUNDS, PageMessage, RefundMessage, return_id_of
from workflows.settlements.actions import complete_refund

log = structlog.get_logger(__name__)


def prepare_refunds(db: Connection, deliveries: Sequence[Delivery]) -> list[RefundMessage | Exception]:
    """The refund of each delivery, all of them read at once."""
    found = {row.refund_id: row for row in db.execute(REFUNDS, {"ids": [_refund_of(each) for each in deliveries]})}

    def message(delivery: Delivery) -> RefundMessage:
        event = delivery.event
        if isinstance(event, PaymentSurplus):
            return RefundMessage(
                refund_id=_refund_of(delivery),
                amount=event.surplus_amount,
                currency=event.surplus_currency,
                reference=event.reference,
                created_at=event.occurred_at,
                prepared_at=delivery.now,
                failed=None if delivery.attempts_reset else event.failed,
                surplus_of=event.payment_id,
            )
        row = found[_refund_of(delivery)]
        if row.is_done:
            raise Cancel("This refund was entered as done.")
        values = {name: value for name, value in row._mapping.items() if name not in ("is_done", "failed")}
        # A refund that has failed would fail again: it is sent again once an operator has retried the delivery.
        failed = None if delivery.attempts_reset else row.failed
        return RefundMessage(**values, failed=failed, prepared_at=delivery.now)

    return prepare_each(deliveries, message)


def settle_refund(db: Connection, delivery: Delivery, message: RefundMessage, sent: SendResult) -> None:
    """Enter a refund that was sent as done; the ledger does not have money that belongs to no payment."""
    event = delivery.event
    if sent.error is not None or isinstance(event, PaymentSurplus):
        return
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
    event = delivery.event
    if isinstance(event, PaymentSurplus):
        return return_id_of(event.reference)
    assert isinstance(event, PaymentRefundDue)
    return event.refund_id


def prepare_pages(db: Connection, deliveries: Sequence[Delivery]) -> list[PageMessage | Exception]:
    """The page of each delivery, all of them read at once."""
    ids = [each.event.subject_id for each in deliveries]
    found = {row.payment_id: row for row in db.execute(PAGES, {"ids": ids})}

    def message(delivery: Delivery) -> PageMessage:
        row = found[delivery.event.subject_id]
        if row.expires_at <= delivery.now:
            raise Cancel("The page has closed by itself.")
        about = {"created_at": delivery.event.occurred_at, "prepared_at": delivery.now}
        return PageMessage(payment_id=row.payment_id, page=row.page, **about)

    return prepare_each(deliveries, message)


SEND_REFUND = register_outbound(
    OutboundEffect(
        name="payments.refund", queue="webhooks", transport="stripe", prepare=prepare_refunds, settle=settle_refund
    )
)


CLOSE_PAGE = register_outbound(
    OutboundEffect(name="payments.close_page", queue="webhooks", transport="stripe", prepare=prepare_pages)
)


@subscribe(PaymentRefundDue, name="payments.start_refund", queue="webhooks")
def start_refund(db: Connection, event: PaymentRefundDue, *, now: datetime) -> None:
    """Have what arrived through Stripe sent back through Stripe."""
    if db.scalar(CAME_BY, {"payment_id": event.payment_id, "actor": STRIPE.name}):
        follow_up(db, event, SEND_REFUND, [""])


@subscribe(PaymentSurplus, name="payments.return_surplus", queue="webhooks")
def return_surplus(db: Connection, event: PaymentSurplus, *, now: datetime) -> None:
    """Have money that belongs to no payment sent back through Stripe."""
    follow_up(db, event, SEND_REFUND, [""])


@subscribe(PaymentPageOutdated, name="payments.start_closing", queue="webhooks")
def start_closing(db: Connection, event: PaymentPageOutdated, *, now: datetime) -> None:
    """Have the page closed at which a payment could still be paid that nobody waits for."""
    follow_up(db, event, CLOSE_PAGE, [""])
