"""Webhooks over HTTP, as Standard Webhooks describes them: signed, sent by the guarded client, and reported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from http.client import HTTPException

import structlog

from config.sealing import Sealer
from models.events import ErrorClass
from workers.transports.client import Answer, Client
from workers.transports.failures import detail, parse_retry_after, told
from workers.transports.transport import Renew, Transport, no_lease
from workflows.errors import Invalid
from workflows.events.delivery import SendResult
from workflows.outside.send_webhook import WebhookMessage
from workflows.webhooks.address import Destination, Network, host_of
from workflows.webhooks.headers import HeaderRefused, headers_of, opened_headers
from workflows.webhooks.health import GONE
from workflows.webhooks.secrets import signatures, signer_of

log = structlog.get_logger(__name__)

# Of so many secrets and headers the opened form is kept: to open one costs as much as to send a message.
MAX_OPENED = 1000


class WebhookTransport(Transport[WebhookMessage]):
    """Sends webhook messages, and reports what each receiver said.

    Args:
        sealer: opens the endpoints' stored secrets and headers.
        allowed: networks that may be reached besides the public internet.
        client: sends in place of the one that is made for those networks.
    """

    def __init__(self, sealer: Sealer, allowed: Sequence[Network], client: Client | None = None) -> None:
        self._unseal = lru_cache(MAX_OPENED)(sealer.unseal)
        self._signer = lru_cache(MAX_OPENED)(lambda sealed: signer_of(sealer.unseal(sealed)))
        self._client = client or Client(allowed)

    def send(self, message: WebhookMessage, _renew: Renew = no_lease) -> SendResult:
        """Post the message; 2xx is success, everything else an error in words that a partner may read.

        Raises:
            UnsealError: a secret or a header was sealed with a key that is gone.
            SecretMalformed: a secret is none.
        """
        try:
            destination = self._client.destination_of(message.url)
            headers = self._headers(destination, message)
            return _report(self._client.post(destination, headers, message.body))
        except (OSError, HTTPException, Invalid, HeaderRefused) as error:
            # Of the URL the host alone: a path or a query may be the partner's secret.
            host = host_of(message.url)
            log.warning("webhook.attempt_failed", webhook_id=message.webhook_id, host=host, detail=detail(error))
            error_class, sentence = told(error)
            return SendResult(error=sentence, error_class=error_class)

    def close(self) -> None:
        """Close the connections that wait for a next message, and shut down those in use."""
        self._client.close()

    def _headers(self, destination: Destination, message: WebhookMessage) -> dict[str, str]:
        # Of the attempt, not of the event: receivers refuse what is older than five minutes.
        timestamp = str(int(datetime.now(UTC).timestamp()))
        webhook_id = str(message.webhook_id)
        signers = [self._signer(sealed) for sealed in message.sealed_secrets]
        return headers_of(
            opened_headers(message.headers, self._unseal),
            authority=destination.authority,
            webhook_id=webhook_id,
            timestamp=timestamp,
            signature=signatures(signers, webhook_id, timestamp, message.body),
        )


def _report(answer: Answer) -> SendResult:
    error_class, error = _error(answer.status)
    return SendResult(
        error=error,
        error_class=error_class,
        permanent=answer.status == GONE,
        status_code=answer.status,
        # PostgreSQL's text holds no NUL.
        response=answer.beginning.decode("utf-8", "replace").replace("\x00", ""),
        retry_after=parse_retry_after(answer.status, answer.retry_after),
    )


def _error(status: int) -> tuple[ErrorClass | None, str | None]:
    if 200 <= status < 300:
        return None, None
    if 300 <= status < 400:
        return ErrorClass.REDIRECT, f"The receiver answered {status}; redirects are not followed."
    return ErrorClass.STATUS, f"The receiver answered {status}."
