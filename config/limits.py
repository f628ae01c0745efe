"""Rate limits and trusted proxies, as the settings write them."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

Network = IPv4Network | IPv6Network

OFF = "off"
MAX_RATE = 1_000_000
MAX_PROXIES = 10
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(rf"([1-9][0-9]{{0,6}})/({'|'.join(_SECONDS)})")


class RateLimit(NamedTuple):
    """At most so many requests in any window of so many seconds."""

    amount: int
    seconds: int


@dataclass(frozen=True)
class TrustedProxies:
    """The proxies whose X-Forwarded-For is trusted."""

    hops: int = 0  # the number of proxies in front, with any addresses
    networks: tuple[Network, ...] = ()  # the addresses of proxies

    def __bool__(self) -> bool:
        return bool(self.hops or self.networks)


NO_PROXIES = TrustedProxies()


def rate_limit(name: str, value: str) -> RateLimit | None:
    """`600/minute` as a limit; None for `off`. Raises ValueError: it is neither."""
    if value.strip() == OFF:
        return None
    read = _RATE.fullmatch(value.strip())
    if read is None or int(read[1]) > MAX_RATE:
        raise ValueError(f"{name} must read like 600/minute (second, minute, hour, day; at most {MAX_RATE}), or {OFF}.")
    return RateLimit(int(read[1]), _SECONDS[read[2]])


def trusted_proxies(name: str, value: str) -> TrustedProxies:
    """A number of proxies, or networks such as `10.0.0.0/8,fd00::/8`. Raises ValueError: it is neither."""
    value = value.strip()
    if value.isdecimal() and int(value) <= MAX_PROXIES:
        return TrustedProxies(hops=int(value))
    try:
        return TrustedProxies(networks=tuple(ip_network(each.strip()) for each in value.split(",") if each.strip()))
    except ValueError:
        raise ValueError(
            f"{name} must hold the number of proxies in front (at most {MAX_PROXIES}), or their networks, such as"
            " 10.0.0.0/8,fd00::/8."
        ) from None
