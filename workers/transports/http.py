"""Webhooks over HTTP: signed, to a checked address, no redirects, one absolute deadline, little of the answer read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from config.sealing import Sealer
from config.settings import Network
from workers.transports.addresses import AddressRefused, Target, resolve
from workers.transports.deadline import deadline
from workflows.events.outcomes import Sent
from workflows.outside.send_webhook import WebhookMessage

CONNECT_SECONDS = 5.0
DEADLINE_SECONDS = 15.0
READ_BYTES = 64 * 1024
KEPT_CHARACTERS = 4096
LONGEST_WISH = timedelta(days=1)
LONGEST_NUMBER = 10


class WebhookTransport:
    """Sends one message at a time and reports what the receiver said.

    Args:
        sealer: opens the endpoints' stored secrets.
        allowed: networks that may be reached besides the public internet.
    """

    def __init__(self, sealer: Sealer, allowed: Sequence[Network]) -> None:
        self._sealer = sealer
        self._allowed = tuple(allowed)
        self._tls = ssl.create_default_context()

    def send(self, message: WebhookMessage) -> Sent:
        """Post the message; 2xx is success, everything else an error in words that a partner may read."""
        url = urlsplit(message.url)
        try:
            connection = self._connection(url)
        except AddressRefused as refused:
            return Sent(error=f"The address is not allowed: {refused}")
        except OSError as error:
            return Sent(error=f"The host was not found: {error}")
        try:
            with deadline(DEADLINE_SECONDS, lambda: connection.sock):
                return self._post(connection, url, message)
        except (HTTPError, OSError) as error:
            return Sent(error=f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def _connection(self, url: SplitResult) -> HTTPConnection:
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        target = resolve(url.scheme, host, port, self._allowed)
        if url.scheme == "https":
            return self._secure(target, host)
        return HTTPConnection(target.address, target.port, timeout=CONNECT_SECONDS)

    def _secure(self, target: Target, host: str) -> HTTPSConnection:
        # The connection goes to the address that was checked; the certificate must be the name's.
        return HTTPSConnection(
            target.address,
            target.port,
            timeout=CONNECT_SECONDS,
            ssl_context=self._tls,
            server_hostname=host,
            assert_hostname=host,
        )

    def _post(self, connection: HTTPConnection, url: SplitResult, message: WebhookMessage) -> Sent:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(DEADLINE_SECONDS)
        connection.request("POST", path, body=message.body, headers=self._headers(url, message), preload_content=False)
        return _report(connection.getresponse())

    def _headers(self, url: SplitResult, message: WebhookMessage) -> dict[str, str]:
        timestamp = str(int(datetime.now(UTC).timestamp()))
        secrets = [self._sealer.unseal(sealed) for sealed in message.sealed_secrets]
        signed = [sign(secret, str(message.webhook_id), timestamp, message.body) for secret in secrets]
        return {
            **message.headers,
            "host": url.netloc,
            "content-type": "application/json",
            "user-agent": "Tutelage",
            "connection": "close",
            "webhook-id": str(message.webhook_id),
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signed),
        }


def sign(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """One signature as Standard Webhooks defines it: `v1,` and the base64 of HMAC-SHA256 over id, time and body.

    Args:
        secret: `whsec_…`.
        timestamp: seconds since 1970, in UTC.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def _report(response: BaseHTTPResponse) -> Sent:
    # What is read counts against the deadline, and what is not read is not waited for.
    told = response.read(READ_BYTES).decode("utf-8", "replace").replace("\x00", "")[:KEPT_CHARACTERS]
    taken = 200 <= response.status < 300
    return Sent(
        error=None if taken else f"The receiver answered {response.status}.",
        status_code=response.status,
        response=told,
        retry_after=_retry_after(response) if response.status in (429, 503) else None,
    )


def _retry_after(response: BaseHTTPResponse) -> timedelta | None:
    """RFC 9110, section 10.2.3: seconds, or a date; anything else is no wish at all. At most a day is granted."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        # Longer than any time is, and too long for int to read.
        wish = timedelta(seconds=int(value)) if len(value) < LONGEST_NUMBER else LONGEST_WISH
    else:
        try:
            wish = parsedate_to_datetime(value) - datetime.now(UTC)
        except (ValueError, TypeError):
            return None
    return min(max(wish, timedelta()), LONGEST_WISH)
