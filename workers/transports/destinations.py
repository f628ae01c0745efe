"""Where a webhook's URL leads, by the rules of the door: read again, since what is allowed may have changed since."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from workflows.errors import Invalid
from workflows.webhooks.address import Destination, Network, read_address

__all__ = ["Destination", "UrlRefused", "destination_of", "host_of"]


class UrlRefused(ValueError):
    """No URL that a webhook can be sent to."""


def destination_of(url: str, allowed: Sequence[Network]) -> Destination:
    """Read a URL. Where its host leads is another question, asked at every message.

    Args:
        allowed: networks that a URL may name addresses of, and reach by plain HTTP and at any port.

    Raises:
        UrlRefused: with what is wrong with it.
    """
    return _read(url, tuple(allowed))


def host_of(url: str) -> str:
    """Host and port as somebody wrote them, for a log: no credentials, no path."""
    return re.sub(r".*@", "", re.split(r"[/?#\\]", url.partition("//")[2], maxsplit=1)[0])[:255]


@lru_cache(maxsize=1024)
def _read(url: str, allowed: tuple[Network, ...]) -> Destination:
    try:
        return read_address(url, allowed)
    except Invalid as error:
        raise UrlRefused(str(error.details)) from error
