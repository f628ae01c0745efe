"""Tests of where a webhook may go, as a table of addresses: every answer of a name is held against it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from workflows.webhooks.address import AddressRefused, require_reachable

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    # Just outside of what is refused.
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "3ffe::1",
]
NOT_PUBLIC = [
    # This machine, this network.
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    "::",
    "::1",
    # Private.
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "fc00::1",
    "fd00::1",
    "fec0::1",
    # Shared by a carrier's customers.
    "100.64.0.1",
    "100.127.255.255",
    # Clouds' metadata and services.
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
    # Link-local, with a zone and without.
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    # Protocols, relays, benchmarks.
    "192.0.0.8",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "100::1",
    "5f00::1",
    "2620:4f:8000::1",
    # Documentation, and what was never given out.
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    # Everybody at once.
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "ff02::1",
    "ff0e::1",
    # IPv6 addresses that stand for an IPv4 address, whichever: mapped, compatible, translated, NAT64, 6to4, Teredo.
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001::1",
    "2001:1ff::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_reached_over_https(address: str) -> None:
    require_reachable(ip_address(address), "https", 443, ())
    require_reachable(ip_address(address), "https", 8443, ())


@pytest.mark.parametrize("address", NOT_PUBLIC)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_no_other_address_is_reached(scheme: str, address: str) -> None:
    with pytest.raises(AddressRefused, match="is not a public address"):
        require_reachable(ip_address(address), scheme, 443, ())


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111"])
def test_plain_http_never_leaves_for_the_internet(address: str) -> None:
    with pytest.raises(AddressRefused, match="Plain HTTP"):
        require_reachable(ip_address(address), "http", 443, (ip_network("10.0.0.0/8"),))


@pytest.mark.parametrize("port", [1, 22, 25, 80, 442, 444, 5432, 6379, 8080, 8444, 65535])
def test_only_the_ports_of_webhooks_are_reached(port: int) -> None:
    with pytest.raises(AddressRefused, match=f"Port {port}"):
        require_reachable(ip_address("1.1.1.1"), "https", port, ())


@pytest.mark.parametrize(
    ("address", "network", "reached"),
    [
        # What the operator lists is reached by any scheme and port.
        ("127.0.0.1", "127.0.0.0/8", True),
        ("10.1.2.3", "10.1.0.0/16", True),
        ("fd00::7", "fd00::/8", True),
        # And nothing beside it.
        ("10.2.0.1", "10.1.0.0/16", False),
        ("127.0.0.1", "::/0", False),
        ("::1", "0.0.0.0/0", False),
        ("::ffff:10.1.2.3", "10.1.0.0/16", False),
        # A zone names an interface of this machine.
        ("fe80::1%eth0", "fe80::/10", False),
    ],
)
def test_the_networks_that_the_operator_lists_are_reached(address: str, network: str, reached: bool) -> None:
    allowed = (ip_network(network),)
    if reached:
        require_reachable(ip_address(address), "http", 9000, allowed)
    else:
        with pytest.raises(AddressRefused):
            require_reachable(ip_address(address), "http", 9000, allowed)
