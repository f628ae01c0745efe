"""What a partner may read of a failed attempt. The detail, which would map our network to them, is the operator's."""

from __future__ import annotations

import ssl
from http.client import HTTPException

from models.events import ErrorClass
from workers.transports.connections import ConnectFailed
from workers.transports.deadline import DeadlineExceeded
from workers.transports.destinations import UrlRefused
from workers.transports.headers import HeaderRefused
from workers.transports.public_addresses import AddressRefused
from workers.transports.resolver import HostNotFound

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
        case UrlRefused() | AddressRefused():
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
