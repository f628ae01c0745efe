"""Addresses of clients: who they are behind trusted proxies, and which of them count as one."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from config.limits import TrustedProxies
from workflows.kernel.address import Address, within

UNKNOWN = "unknown"
# The least that a provider gives to one customer (RFC 6177).
IPV6_PREFIX_BITS = 64


def client_address(peer: str, forwarded_for: str | None, trusted: TrustedProxies) -> str:
    """The address of the client.

    Each proxy appends to X-Forwarded-For where it was asked from, so that the list is read from its right end, and
    only as far as proxies are trusted: the client has written everything left of that.

    Args:
        peer: where the connection comes from.
        forwarded_for: the header, several of them joined by commas.
    """
    if not trusted or not forwarded_for:
        return peer
    entries = forwarded_for.split(",")
    if trusted.hops:
        # With fewer entries than proxies, the request has not come through all of them.
        found = _read(entries[-trusted.hops]) if len(entries) >= trusted.hops else None
        return peer if found is None else str(found)
    address = _read(peer)
    for entry in reversed(entries):
        if address is None or not within(address, trusted.networks):
            break
        before = _read(entry)
        if before is None:
            break
        address = before
    return peer if address is None else str(address)


@lru_cache(maxsize=8192)
def counted_address(address: str) -> str:
    """The address itself, or the /64 of an IPv6 address, by which requests are counted."""
    read = _read(address)
    if read is None:
        return UNKNOWN
    return str(ip_network((read, IPV6_PREFIX_BITS), strict=False)) if isinstance(read, IPv6Address) else str(read)


def _read(entry: str) -> Address | None:
    """An address, with or without port and brackets, and IPv4 where IPv6 maps it; None for anything else."""
    entry = entry.strip()
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        # A zone names an interface of the machine that wrote it.
        address = ip_address(entry.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
