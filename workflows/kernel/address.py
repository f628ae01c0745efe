"""Webhook URLs: which are accepted when an endpoint is stored, and which IP addresses may be connected to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import urlunsplit

from workflows.kernel.errors import Invalid

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MAX_URL_CHARACTERS = 2048
PORTS = (443, 8443)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"(?=.{1,253}\Z)(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
# Some resolvers read such an ending as an IPv4 address, in decimal, octal or hex: 127.1, 0x7f000001, 017700000001.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# Names that no public DNS answers for, besides those without a dot (RFC 6761, RFC 8375, and ICANN's of 2024).
_PRIVATE = (".localhost", ".internal", ".home.arpa")
_LOOPBACK = IPv4Address("127.0.0.1")

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
    """Raised for an address that must not be reached; the message gives the reason, for the operator's log."""


@dataclass(frozen=True)
class Destination:
    """A URL of a webhook endpoint, normalised."""

    scheme: str
    host: str  # lower-case ASCII, a name or an address without brackets
    port: int
    path: str  # percent-encoded, perhaps empty; `query` likewise, without its question mark
    query: str
    literal: Address | None  # the address, when the URL names one and no host

    @property
    def authority(self) -> str:
        """Host and port, without the scheme's default port: the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query, for the request line."""
        return (self.path or "/") + (f"?{self.query}" if self.query else "")

    @property
    def url(self) -> str:
        return urlunsplit((self.scheme, self.authority, self.path, self.query, ""))


def checked_address(url: str, allowed: Sequence[Network]) -> str:
    """The URL normalised: names in ASCII and lower case, paths percent-encoded, without a default port.

    No name is resolved here. One that belongs to the public internet is held to the rules for that, although it might
    lead into an allowed network.

    Raises:
        Invalid: no webhook is sent to such a URL; the details say why.
    """
    read = read_address(url, allowed)
    if read.literal is None and "." in read.host and not read.host.endswith(_PRIVATE):
        _require_public(read.scheme, read.port)
    return read.url


def read_address(url: str, allowed: Sequence[Network]) -> Destination:
    """Parse a URL, and refuse what other parsers could understand differently.

    Args:
        allowed: the networks that may be reached besides the public internet: by any scheme, at any port, and by
            writing their addresses.

    Raises:
        Invalid: no webhook is sent to such a URL; the details say why.
    """
    # Imported here, as idna below: every process that records events knows webhooks, and few read their addresses.
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415
    from urllib3.util import parse_url  # noqa: PLC0415

    # Before it is parsed: parsers drop line breaks and turn backslashes around, each in its own way.
    if len(url) > MAX_URL_CHARACTERS or not url.isprintable() or " " in url or "\\" in url:
        raise _invalid(
            f"must have at most {MAX_URL_CHARACTERS} characters, no spaces, no backslashes and no control characters"
        )
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise _invalid("is not a URL with a host of the internet") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise _invalid("must begin with https://")
    if not parts.host or parts.auth is not None or parts.fragment is not None:
        raise _invalid("must name a host, no credentials and no fragment")
    port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0:
        raise _invalid("must have a port from 1 to 65535")
    host, literal = _host(parts.host)
    if literal is None:
        _require_resolvable(host, allowed)
    elif not within(literal, allowed) or (isinstance(literal, IPv6Address) and literal.ipv4_mapped):
        raise _invalid("must name a host instead of writing an address in numbers")
    if not allowed:
        _require_public(parts.scheme, port)
    read = Destination(parts.scheme, host, port, parts.path or "", parts.query or "", literal)
    if len(read.url) > MAX_URL_CHARACTERS:
        raise _invalid(f"must have at most {MAX_URL_CHARACTERS} characters")
    return read


def host_of(url: str) -> str:
    """Host and port of any string, for a log: no credentials, no path."""
    return re.sub(r".*@", "", re.split(r"[/?#\\]", url.partition("//")[2], maxsplit=1)[0])[:255]


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether the address is in one of those networks. With a zone it is in none: that names an interface of ours."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    return any(address.version == network.version and address in network for network in networks)


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


def _encoded(name: str) -> str:
    import idna  # noqa: PLC0415

    try:
        return idna.encode(name).decode()
    except idna.IDNAError as error:
        raise _invalid("must name a host by the rules of IDNA 2008") from error


def _host(written: str) -> tuple[str, Address | None]:
    if written.startswith("["):
        address = IPv6Address(written[1:-1])
        return str(address), address
    # Names beyond ASCII have been encoded; what was written as `xn--` has not been checked yet.
    name = _encoded(written) if "xn--" in written else written
    if not _NAME.fullmatch(name):
        raise _invalid("must name a host of letters, digits and hyphens, without a dot at its end")
    if not _NUMBER.fullmatch(name):
        return name, None
    try:
        return name, IPv4Address(name)
    except AddressValueError as error:
        raise _invalid("must not write an address in numbers") from error


def _require_resolvable(name: str, allowed: Sequence[Network]) -> None:
    if name == "localhost" or name.endswith(".localhost"):
        reachable = within(_LOOPBACK, allowed)
    else:
        # A name without a dot is one of the operator's own network.
        reachable = "." in name or bool(allowed)
    if not reachable:
        raise _invalid("must name a host of the public internet")


def _require_public(scheme: str, port: int) -> None:
    if scheme != "https":
        raise _invalid("must begin with https://")
    if port not in PORTS:
        raise _invalid("must use port 443 or 8443")


def _invalid(reason: str) -> Invalid:
    return Invalid("This is no address that a webhook can be sent to.", details={"url": [f"The URL {reason}."]})
