"""What a failed attempt or a refusal over HTTP means: for the partner, for the operator's log, and for the next try."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from models.events import ErrorClass
from workers.transports.resolver import HostNotFound
from workers.transports.sockets import ConnectFailed, DeadlineExceeded
from workflows.errors import Invalid
from workflows.webhooks.address import AddressRefused
from workflows.webhooks.headers import HeaderRefused

MAX_RETRY_AFTER = timedelta(days=1)
MAX_DIGITS = 10
WITH_RETRY_AFTER = (429, 503)

TLS_FAILED = "TLS: no secure connection could be agreed on."
UNTRUSTED = "TLS: the certificate is not signed by an authority that is trusted here."
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
OF_CERTIFICATE = {
    9: "TLS: the certificate is not valid yet.",
    10: "TLS: the certificate has expired.",
    18: UNTRUSTED,
    19: UNTRUSTED,
    20: UNTRUSTED,
    21: UNTRUSTED,
    62: "TLS: the certificate is not valid for this host.",
    64: "TLS: the certificate is not valid for this host.",
}


def told(error: Exception) -> tuple[ErrorClass, str]:
    """What kind of failure it is, and the sentence for the partner."""
    match error:
        case DeadlineExceeded():
            return ErrorClass.TIMEOUT, str(error)
        case Invalid() | AddressRefused():
            return ErrorClass.REFUSED_ADDRESS, "The address is not allowed."
        case HeaderRefused():
            return ErrorClass.HEADER, "The endpoint's headers cannot be sent."
        case HostNotFound():
            return ErrorClass.DNS, "The host was not found."
        case ConnectFailed():
            return ErrorClass.CONNECT, "The connection could not be made."
        case ssl.SSLCertVerificationError():
            return ErrorClass.TLS, OF_CERTIFICATE.get(error.verify_code, "TLS: the certificate is not valid.")
        case ssl.SSLError():
            return ErrorClass.TLS, TLS_FAILED
        case HTTPException() if not isinstance(error, ConnectionError):
            return ErrorClass.PROTOCOL, "The answer was not HTTP."
        case _:
            return ErrorClass.PROTOCOL, "The connection ended before an answer was complete."


def detail(error: Exception) -> str:
    """What the operator's log may hold: the kind and the reason, but nothing that the other side wrote."""
    if isinstance(error, HTTPException) and not isinstance(error, ConnectionError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"


def parse_retry_after(status: int, value: str | None) -> timedelta | None:
    """How long the receiver wants to be left alone (RFC 9110, section 10.2.3): seconds, or until a date.

    At most a day is granted, and what cannot be read is no wish at all.

    Args:
        value: of the header Retry-After.
    """
    if status not in WITH_RETRY_AFTER or value is None:
        return None
    value = value.strip()
    if value.isdecimal():
        # Longer than any time is, and too long for int to read.
        wished = timedelta(seconds=int(value)) if len(value) < MAX_DIGITS else MAX_RETRY_AFTER
    else:
        try:
            wished = parsedate_to_datetime(value) - datetime.now(UTC)
        except (ValueError, TypeError):
            return None
    return min(max(wished, timedelta()), MAX_RETRY_AFTER)
