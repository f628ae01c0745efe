"""Webhooks over HTTP: signed, sent by the guarded client, and reported in words that a partner may read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http.client import HTTPException

import structlog

from config.sealing import Sealer
from models.events import ErrorClass
from workers.transports.client import Answer, Client
from workers.transports.destinations import Destination, UrlRefused, host_of
from workers.transports.failures import detail, told
from workers.transports.headers import HeaderRefused, headers_of
from workers.transports.retry_after import wish
from workers.transports.signing import signatures
from workflows.events.outcomes import Sent
from workflows.outside.send_webhook import WebhookMessage
from workflows.webhooks.address import Network
from workflows.webhooks.headers import opened_headers
from workflows.webhooks.health import GONE

log = structlog.get_logger(__name__)


class WebhookTransport:
    """Sends messages, from as many threads as there are, and reports what each receiver said.

    Args:
        sealer: opens the endpoints' stored secrets and headers.
        allowed: networks that may be reached besides the public internet.
        client: sends in place of the one that is made for those networks.
    """

    def __init__(self, sealer: Sealer, allowed: Sequence[Network], client: Client | None = None) -> None:
        self._sealer = sealer
        self._client = client or Client(allowed)

    def send(self, message: WebhookMessage) -> Sent:
        """Post the message; 2xx is success, everything else an error in words that a partner may read.

        Raises:
            UnsealError: a secret or a header was sealed with a key that is gone.
            SecretMalformed: a secret is none.
        """
        try:
            destination = self._client.destination_of(message.url)
            headers = self._headers(destination, message)
            return _report(self._client.post(destination, headers, message.body))
        except (OSError, HTTPException, UrlRefused, HeaderRefused) as error:
            return _failed(message, error)

    def close(self) -> None:
        """Close the connections that wait for a next message."""
        self._client.close()

    def _headers(self, destination: Destination, message: WebhookMessage) -> dict[str, str]:
        # Of the attempt, not of the event: receivers refuse what is older than five minutes.
        timestamp = str(int(datetime.now(UTC).timestamp()))
        webhook_id = str(message.webhook_id)
        secrets = [self._sealer.unseal(sealed) for sealed in message.sealed_secrets]
        return headers_of(
            opened_headers(message.headers, self._sealer.unseal),
            authority=destination.authority,
            webhook_id=webhook_id,
            timestamp=timestamp,
            signature=signatures(secrets, webhook_id, timestamp, message.body),
        )


def _report(answer: Answer) -> Sent:
    error_class, error = _error(answer.status)
    return Sent(
        error=error,
        error_class=error_class,
        permanent=answer.status == GONE,
        status_code=answer.status,
        # PostgreSQL's text holds no NUL.
        response=answer.beginning.decode("utf-8", "replace").replace("\x00", ""),
        retry_after=wish(answer.status, answer.retry_after),
    )


def _error(status: int) -> tuple[ErrorClass | None, str | None]:
    if 200 <= status < 300:
        return None, None
    if 300 <= status < 400:
        return ErrorClass.REDIRECT, f"The receiver answered {status}; redirects are not followed."
    return ErrorClass.STATUS, f"The receiver answered {status}."


def _failed(message: WebhookMessage, error: Exception) -> Sent:
    # Of the URL the host alone: a path or a query may be the partner's secret.
    host = host_of(message.url)
    log.warning("webhook.attempt_failed", webhook_id=message.webhook_id, host=host, detail=detail(error))
    error_class, sentence = told(error)
    return Sent(error=sentence, error_class=error_class)
