"""Which addresses a webhook may reach: the public internet, and the networks that the operator lists; never ours."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Network, ip_network

from workflows.webhooks.address import PORTS, Address, Network, within

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


class AddressRefused(OSError):
    """The name leads to where webhooks must not go; the message says why, for the operator's log."""


def check(address: Address, scheme: str, port: int, allowed: Sequence[Network]) -> None:
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
