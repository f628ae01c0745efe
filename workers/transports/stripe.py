"""Refunds, sent by Stripe under an idempotency key each; and pages of Stripe that are to be closed."""

import structlog

from infrastructure.stripe_provider import ProviderError, StripeProvider
from models.events import ErrorClass
from workers.transports import Renew, Transport, no_lease
from workflows.events.delivery import SendResult
from workflows.payments.refunds import PageMessage, RefundMessage

log = structlog.get_logger(__name__)


class StripeTransport(Transport[RefundMessage | PageMessage]):
    """Transport of refunds and of pages to close; the content of a refund's success is Stripe's id of the refund."""

    def __init__(self, provider: StripeProvider) -> None:
        self._provider = provider

    def send(self, message: RefundMessage | PageMessage, _renew: Renew = no_lease) -> SendResult:
        """Send the refund, or find that it was sent before; or close the page."""
        try:
            return SendResult(content=self._send(message))
        except ProviderError as error:
            what = {name: value for name, value in vars(message).items() if name in ("refund_id", "payment_id")}
            log.warning("payment.provider_failed", **what, detail=str(error))
            return SendResult(
                error=str(error),
                error_class=error.error_class,
                permanent=error.permanent,
                status_code=error.status_code,
                retry_after=error.pause(message.prepared_at),
                unavailable=error.unavailable,
            )

    def _send(self, message: RefundMessage | PageMessage) -> str | None:
        if isinstance(message, PageMessage):
            self._provider.close_page(message.page)
            return None
        if message.failed is not None:
            raise ProviderError(
                f"Stripe's refund {message.failed} has failed. Retry this delivery to have it sent again, or send it"
                " otherwise and enter it as done.",
                ErrorClass.PROTOCOL,
                permanent=True,
            )
        return self._provider.refund(
            refund_id=message.refund_id,
            reference=message.reference,
            amount=message.amount,
            currency=message.currency,
            surplus_of=message.surplus_of,
        )

    def close(self) -> None:
        self._provider.close()
