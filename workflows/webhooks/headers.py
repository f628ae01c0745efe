"""Custom headers of webhook messages: which are allowed, how they are stored, and the headers of a message."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from workflows.kernel.errors import Invalid

MAX_HEADERS = 20
MAX_NAME_CHARACTERS = 100
MAX_VALUE_CHARACTERS = 1000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[ -~]*")
# Headers that the message sets, that frame it on the wire, or that only a proxy in between may set.
# `Authorization` is not among them: receivers behind a gateway need it, and it is not shown again.
OURS = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "cookie2",
        "date",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "x-real-ip",
    )
)
SEALED = "sealed"
OUR_FAMILIES = ("webhook-", "proxy-", "x-forwarded-", "sec-", ":")


class HeaderRefused(ValueError):
    """No header that can be sent; the message does not hold its value."""


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as they are stored.

    Raises:
        Invalid: too many, no headers by RFC 9110, too long, or the message's own.
    """
    reason = _too_many(headers) or next((why for item in headers.items() if (why := wrong(*item))), None)
    if reason:
        raise Invalid("These headers cannot be sent along.", details={"headers": [reason]})
    return dict(headers)


def sealed_headers(headers: Mapping[str, str], seal: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """The headers as they are stored: their names can be read, their values are encrypted."""
    return {name: {SEALED: seal(value)} for name, value in headers.items()}


def opened_headers(stored: Mapping[str, Any], unseal: Callable[[str], str]) -> dict[str, str]:
    """Stored headers as they are sent along."""
    return {name: unseal(value[SEALED]) for name, value in stored.items()}


def headers_of(
    custom: Mapping[str, str],
    *,
    authority: str,
    webhook_id: str,
    timestamp: str,
    signature: str,
    traceparent: str | None = None,
) -> dict[str, str]:
    """All headers but the length: an endpoint's own first, then ours, which they cannot override.

    Args:
        custom: the endpoint's own; those that are ours to set are left out.
        traceparent: the span of this attempt (W3C Trace Context), if it is traced.

    Raises:
        HeaderRefused: what should not have been stored, and would perhaps not stay within its line.
    """
    headers: dict[str, str] = {}
    for name, value in custom.items():
        if is_ours(name):
            continue
        why = wrong(name, value)
        if why is not None:
            raise HeaderRefused(why)
        headers[name.lower()] = value
    headers |= {
        "host": authority,
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "Tutelage",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }
    if traceparent is not None:
        headers["traceparent"] = traceparent
    return headers


def _too_many(headers: Mapping[str, str]) -> str | None:
    if len(headers) > MAX_HEADERS:
        return f"There must be {MAX_HEADERS} at most."
    if len({_folded(name) for name in headers}) < len(headers):
        return "Each must be named once; capitals, and underscores for hyphens, make no difference."
    return None


def is_ours(name: str) -> bool:
    return _folded(name) in OURS or _folded(name).startswith(OUR_FAMILIES)


def _folded(name: str) -> str:
    # Behind CGI and WSGI, Webhook_Id is the same variable as webhook-id.
    return name.lower().replace("_", "-")


def wrong(name: str, value: str) -> str | None:
    """Why that is no header to be sent along, in words that do not hold its value; None when it is one."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
        return f"A name must be a token of at most {MAX_NAME_CHARACTERS} characters."
    if is_ours(name):
        return f"{name} is set by the message itself, or must not be set."
    if not _VALUE.fullmatch(value) or len(value) > MAX_VALUE_CHARACTERS or value != value.strip():
        limit = f"at most {MAX_VALUE_CHARACTERS} characters"
        return f"The value of {name} must be printable ASCII of {limit}, with no space around."
    return None
