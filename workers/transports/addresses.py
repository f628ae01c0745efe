"""Where a webhook may go: its URL read by the rules of today, and each address that its name leads to looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_network

from workers.transports.sockets import AddressRefused
from workflows.errors import Invalid
from workflows.webhooks.address import PORTS, Address, Destination, Network, read_address, within

__all__ = ["AddressRefused", "Destination", "UrlRefused", "destination_of", "host_of", "require_reachable"]

# Written out, since what Python calls global differs from version to version.
# https://www.iana.org/assignments/iana-ipv4-special-registry
NOT_PUBLIC_IPV4 = tuple(
    ip_network(name)
    for name in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a carrier's customers; a cloud's metadata, too
        "127.0.0.0/8",  # this machine
        "168.63.129.16/32",  # a public address by its looks, and a cloud's platform service
        "169.254.0.0/16",  # link-local; clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata, too
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and everybody
    )
)

# Everything else is no unicast address of the internet, or stands for an IPv4 address: mapped, compatible, NAT64.
PUBLIC_IPV6 = IPv6Network("2000::/3")
# https://www.iana.org/assignments/iana-ipv6-special-registry
NOT_PUBLIC_IPV6 = tuple(
    ip_network(name)
    for name in (
        "2001::/23",  # protocol assignments; Teredo leads to an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 leads to an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


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


@lru_cache(maxsize=4096)
def require_reachable(address: Address, scheme: str, port: int, allowed: tuple[Network, ...]) -> None:
    """Refuse an address that is neither the internet's, over HTTPS at a port of webhooks, nor in an allowed network.

    Args:
        allowed: networks that may be reached by any scheme and at any port.

    Raises:
        AddressRefused: with the reason, for the operator.
    """
    if within(address, allowed):
        return
    if not _is_public(address):
        raise AddressRefused(f"{address} is not a public address.")
    if scheme != "https":
        raise AddressRefused("Plain HTTP reaches only networks that the operator allows.")
    if port not in PORTS:
        raise AddressRefused(f"Port {port} is not among {PORTS}.")


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_IPV4)
    return (
        address.scope_id is None
        and address in PUBLIC_IPV6
        and not any(address in network for network in NOT_PUBLIC_IPV6)
    )
