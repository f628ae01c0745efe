"""Where a webhook's URL leads, read strictly: what two parsers could understand differently is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

import idna

from config.settings import Network
from workers.transports.addresses import PUBLIC_PORTS, Address, is_allowed

MAX_CHARACTERS = 2048
DEFAULT_PORTS = {"https": 443, "http": 80}
UNWANTED = re.compile(r"[\x00-\x20\x7f-\xa0\\]|[^\S ]")
# https://url.spec.whatwg.org/#ends-in-a-number-checker: whoever connects would take the whole for an IPv4 address.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


class UrlRefused(ValueError):
    """No URL that a webhook can be sent to; the message completes "The URL …" for whoever wrote it."""


@dataclass(frozen=True)
class Destination:
    """A URL that has been read.

    Args:
        host: lower-case ASCII, a name or an address without brackets.
        target: what the request line names: path and query.
        literal: the address, when the URL names one and no host.
    """

    scheme: str
    host: str
    port: int
    target: str
    literal: Address | None

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def destination_of(url: str, allowed: Sequence[Network]) -> Destination:
    """Read a URL. Where its host leads is another question, asked at every message.

    Args:
        allowed: networks that a URL may name addresses of, and reach by plain HTTP and at any port.

    Raises:
        UrlRefused: with what is wrong with it.
    """
    destination = _read(url)
    if destination.literal is not None and not is_allowed(destination.literal, allowed):
        raise UrlRefused("must name a host, not an address")
    if not allowed and destination.scheme != "https":
        raise UrlRefused("must begin with https://")
    if not allowed and destination.port not in PUBLIC_PORTS:
        raise UrlRefused(f"must use one of the ports {PUBLIC_PORTS}")
    return destination


def host_of(url: str) -> str:
    """Host and port as somebody wrote them, for a log: no credentials, no path."""
    return re.sub(r".*@", "", re.split(r"[/?#\\]", url.partition("//")[2], maxsplit=1)[0])[:255]


@lru_cache(maxsize=1024)
def _read(url: str) -> Destination:
    if len(url) > MAX_CHARACTERS:
        raise UrlRefused(f"must have at most {MAX_CHARACTERS} characters")
    if UNWANTED.search(url):
        raise UrlRefused("must hold no spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefused("is not a URL") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise UrlRefused("must begin with https://")
    if "@" in parts.netloc or "#" in url:
        raise UrlRefused("must hold no credentials and no fragment")
    if port == 0:
        raise UrlRefused("must name a port that exists")
    host, literal = _host(parts)
    return Destination(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], _target(parts), literal)


def _host(parts: SplitResult) -> tuple[str, Address | None]:
    if not parts.hostname or "%" in parts.netloc:
        raise UrlRefused("must name a host, without percent signs")
    if "[" in parts.netloc:
        address = _literal(parts.hostname)
        if not isinstance(address, IPv6Address):
            raise UrlRefused("must name a host that exists")
        return str(address), address
    name = _ascii(parts.hostname)
    if name.endswith("."):
        raise UrlRefused("must name a host without a dot at its end")
    if NUMBER.fullmatch(name.rpartition(".")[2]):
        address = _literal(name)
        return str(address), address
    return name, None


def _ascii(name: str) -> str:
    """The name as the DNS knows it. The mapping comes first: it makes digits and dots out of what only looks like them.

    Raises:
        UrlRefused: no host can have that name.
    """
    try:
        return idna.encode(name, uts46=True, std3_rules=True).decode()
    except UnicodeError as error:
        raise UrlRefused("must name a host that exists") from error


def _literal(written: str) -> Address:
    # Octal, hexadecimal, short and single-number notations are errors here, and addresses to the C library.
    try:
        return ip_address(written)
    except ValueError as error:
        raise UrlRefused("must name a host, not an address in an unusual notation") from error


def _target(parts: SplitResult) -> str:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii():
        raise UrlRefused("must hold ASCII alone in its path and query; percent-encode the rest")
    return target
