"""The headers of a webhook: a partner's own wishes first, then ours, which nobody overrides."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# No line ends, folded ones included: what follows one would be another header, or another request.
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# They say where a message ends, who it is for, or how it travels: whoever chooses those chooses another message.
OURS = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    }
)
OUR_PREFIXES = ("proxy-", "webhook-")


class HeaderRefused(ValueError):
    """No header that can be sent; the message does not hold its value."""


def headers_of(
    custom: Mapping[str, str], *, authority: str, webhook_id: str, timestamp: str, signature: str
) -> dict[str, str]:
    """All headers but the length.

    Args:
        custom: the endpoint's own; those that are ours to set are left out.

    Raises:
        HeaderRefused: a name or a value that would not stay within its line.
    """
    return _own(custom) | {
        "host": authority,
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "Tutelage",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }


def _own(custom: Mapping[str, str]) -> dict[str, str]:
    own: dict[str, str] = {}
    for name, value in custom.items():
        if not NAME.fullmatch(name):
            raise HeaderRefused(f"{name!r} is no name of a header.")
        if not VALUE.fullmatch(value):
            raise HeaderRefused(f"The header {name} has a value that does not fit into a line.")
        if name.lower() not in OURS and not name.lower().startswith(OUR_PREFIXES):
            own[name.lower()] = value
    return own
