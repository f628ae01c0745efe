"""Which addresses a webhook may reach: the public internet, and the networks that the operator lists; never ours."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from config.settings import Network

PUBLIC_PORTS = (443, 8443)
NAT64 = ip_network("64:ff9b::/96")
# Not the internet either, but some of the Pythons that we run on call them global.
NOT_PUBLIC = tuple(ip_network(name) for name in ("192.0.0.0/24", "::/96", "64:ff9b:1::/48", "fec0::/10"))


class AddressRefused(OSError):
    """The name leads to where webhooks must not go; the message says why, for the operator's log."""


@dataclass(frozen=True)
class Target:
    """A checked address to connect to."""

    address: str
    port: int


def resolve(scheme: str, host: str, port: int, allowed: Sequence[Network]) -> Target:
    """Resolve the name once and check every answer; the connection is then made to the address that was checked.

    Raises:
        AddressRefused: any of the answers is private and not allowed, or plain HTTP would leave the allowed networks.
        OSError: the name does not resolve.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(answer[4][0]) for answer in answers]
    for address in addresses:
        if not _is_allowed(address, allowed):
            _check_public(address, scheme, port)
    return Target(str(addresses[0]), port)


def _is_allowed(address: IPv4Address | IPv6Address, allowed: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in allowed)


def _check_public(address: IPv4Address | IPv6Address, scheme: str, port: int) -> None:
    meant = _meant(address)
    if not meant.is_global or meant.is_multicast or any(meant in network for network in NOT_PUBLIC):
        raise AddressRefused(f"{address} is not a public address.")
    if scheme != "https":
        raise AddressRefused("Plain HTTP reaches only networks that the operator allows.")
    if port not in PUBLIC_PORTS:
        raise AddressRefused(f"Port {port} is not among {PUBLIC_PORTS}.")


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address only wraps, where it does: packets go there in the end."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
