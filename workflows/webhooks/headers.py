"""The headers that an endpoint's owner wants to see on every message."""

from __future__ import annotations

import re
from collections.abc import Mapping

from workflows.errors import Invalid

MOST = 20
LONGEST_NAME = 100
LONGEST_VALUE = 1000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[ -~]*")
# What the message itself sets, what frames it on the wire, and what only a proxy in between may say.
# `Authorization` is not among them: receivers behind a gateway need it, and it is shown to nobody again.
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
OUR_FAMILIES = ("webhook-", "proxy-", "x-forwarded-", "sec-", ":")


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as they are stored.

    Raises:
        Invalid: too many, no headers by RFC 9110, too long, or the message's own.
    """
    reason = _too_many(headers) or next((why for item in headers.items() if (why := _wrong(*item))), None)
    if reason:
        raise Invalid("These headers cannot be sent along.", details={"headers": [reason]})
    return dict(headers)


def _too_many(headers: Mapping[str, str]) -> str | None:
    if len(headers) > MOST:
        return f"There must be {MOST} at most."
    if len({name.lower() for name in headers}) < len(headers):
        return "Each must be named once; capitals make no difference."
    return None


def _wrong(name: str, value: str) -> str | None:
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        return f"A name must be a token of at most {LONGEST_NAME} characters."
    if name.lower() in OURS or name.lower().startswith(OUR_FAMILIES):
        return f"{name} is set by the message itself, or by nobody."
    if not _VALUE.fullmatch(value) or len(value) > LONGEST_VALUE or value != value.strip():
        return (
            f"The value of {name} must be printable ASCII of at most {LONGEST_VALUE} characters, with no space around."
        )
    return None
