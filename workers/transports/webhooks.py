"""Transport of webhooks: signed, and sent by the pinned HTTP client."""

from collections.abc import Sequence
from functools import lru_cache
from http.client import HTTPException

import structlog

from config.sealing import Sealer
from infrastructure.http_client import HttpClient, HttpResponse, describe, log_detail, parse_retry_after
from models.events import ErrorClass
from workers.transports import Renew, Transport, no_lease
from workflows.effects.webhooks import WebhookMessage
from workflows.events.delivery import SendResult
from workflows.events.record import TRACEPARENT
from workflows.kernel.address import Destination, Network, host_of
from workflows.kernel.errors import Invalid
from workflows.webhooks.headers import HeaderRefused, headers_of, opened_headers
from workflows.webhooks.health import GONE
from workflows.webhooks.secrets import signatures, signer_of

log = structlog.get_logger(__name__)

# Secrets and headers that are kept unsealed: to unseal one costs as much as to send a message.
MAX_UNSEALED = 1000


class WebhookTransport(Transport[WebhookMessage]):
    """Transport of webhooks, signed as Standard Webhooks describes it.

    Args:
        sealer: unseals the endpoints' stored secrets and headers.
        allowed: networks that may be reached besides the public internet.
        client: used instead of one for those networks.
    """

    def __init__(self, sealer: Sealer, allowed: Sequence[Network], client: HttpClient | None = None) -> None:
        self._unseal = lru_cache(MAX_UNSEALED)(sealer.unseal)
        self._signer = lru_cache(MAX_UNSEALED)(lambda sealed: signer_of(sealer.unseal(sealed)))
        self._client = client or HttpClient(allowed)

    def send(self, message: WebhookMessage, _renew: Renew = no_lease) -> SendResult:
        """Post the message; 2xx is success, everything else an error in words that a partner may read.

        Raises:
            UnsealError: a secret or a header was sealed with a key that is gone.
            SecretMalformed: a stored secret is malformed.
        """
        try:
            destination = self._client.destination_of(message.url)
            headers = self._headers(destination, message)
            return _result(message, self._client.post(destination, headers, message.body))
        except (OSError, HTTPException, Invalid, HeaderRefused) as error:
            # Only the host of the URL: a path or a query may be the partner's secret.
            host = host_of(message.url)
            log.warning(
                "webhook.attempt_failed",
                event_id=message.webhook_id,
                delivery_id=message.delivery_id,
                endpoint_id=message.endpoint_id,
                host=host,
                detail=log_detail(error),
            )
            error_class, sentence = describe(error)
            return SendResult(error=sentence, error_class=error_class)

    def close(self) -> None:
        self._client.close()

    def _headers(self, destination: Destination, message: WebhookMessage) -> dict[str, str]:
        # Of the attempt, not of the event: receivers refuse what is older than five minutes.
        timestamp = str(int(message.prepared_at.timestamp()))
        webhook_id = str(message.webhook_id)
        signers = [self._signer(sealed) for sealed in message.sealed_secrets]
        return headers_of(
            opened_headers(message.headers, self._unseal),
            authority=destination.authority,
            webhook_id=webhook_id,
            timestamp=timestamp,
            signature=signatures(signers, webhook_id, timestamp, message.body),
            traceparent=TRACEPARENT.get(),
        )


def _result(message: WebhookMessage, response: HttpResponse) -> SendResult:
    status, error, error_class = response.status, None, None
    if 300 <= status < 400:
        error, error_class = f"The receiver answered {status}; redirects are not followed.", ErrorClass.REDIRECT
    elif not 200 <= status < 300:
        error, error_class = f"The receiver answered {status}.", ErrorClass.STATUS
    return SendResult(
        error=error,
        error_class=error_class,
        permanent=status == GONE,
        status_code=status,
        response=response.body.decode("utf-8", "replace"),
        retry_after=parse_retry_after(status, response.retry_after, now=message.prepared_at),
    )
