"""Refunds, sent by Stripe under an idempotency key each."""

from __future__ import annotations

import structlog

from infrastructure.stripe_provider import ProviderError, StripeProvider
from workers.transports import Renew, Transport, no_lease
from workflows.events.delivery import SendResult
from workflows.payments.refunds import RefundMessage

log = structlog.get_logger(__name__)


class StripeTransport(Transport[RefundMessage]):
    """Transport of refunds; the content of a success is Stripe's id of the refund."""

    def __init__(self, provider: StripeProvider) -> None:
        self._provider = provider

    def send(self, message: RefundMessage, _renew: Renew = no_lease) -> SendResult:
        """Send the refund, or find that it was sent before."""
        try:
            reference = self._provider.refund(
                refund_id=message.refund_id,
                reference=message.reference,
                amount=message.amount,
                currency=message.currency,
                created_at=message.created_at,
                now=message.prepared_at,
            )
        except ProviderError as error:
            log.warning("payment.refund_failed", refund_id=message.refund_id, detail=str(error))
            return SendResult(
                error=str(error),
                error_class=error.error_class,
                permanent=error.permanent,
                status_code=error.status_code,
                retry_after=error.pause(message.prepared_at),
                unavailable=error.unavailable,
            )
        return SendResult(content=reference)

    def close(self) -> None:
        self._provider.close()
