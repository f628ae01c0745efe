"""Tests of where a webhook may go: a table of addresses, by scheme and port."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_network

import pytest

from workers.transports.addresses import AddressRefused, Target, resolve

# The last two wrap a public IPv4 address; NAT64 is how an IPv6-only network reaches those.
PUBLIC = ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
NOT_PUBLIC = [
    # This machine.
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "0.0.0.0",
    "::",
    "::ffff:127.0.0.1",
    # This network, and whatever else is not the internet.
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.0.8",
    "fd00::1",
    "fe80::1",
    "fec0::1",
    "::ffff:10.0.0.1",
    # A cloud's metadata.
    "169.254.169.254",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    # Everybody at once.
    "224.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "ff0e::1",
    # Documentation, and what was never given out.
    "192.0.2.1",
    "2001:db8::1",
    "240.0.0.1",
    # IPv6 addresses that lead to an IPv4 address of our own: NAT64, 6to4, Teredo, IPv4-compatible.
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001::1",
    "::10.0.0.1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_reached_over_https(address: str) -> None:
    assert resolve("https", address, 443, ()).port == 443
    assert resolve("https", address, 8443, ()).port == 8443


@pytest.mark.parametrize("address", NOT_PUBLIC)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_no_other_address_is_reached(scheme: str, address: str) -> None:
    with pytest.raises(AddressRefused, match="is not a public address"):
        resolve(scheme, address, 443, ())


@pytest.mark.parametrize("written", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_this_machine_is_not_reached_however_its_address_is_written(written: str) -> None:
    with pytest.raises(OSError, match=r"is not a public address|Name or service"):
        resolve("https", written, 443, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_plain_http_never_leaves_for_the_internet(address: str) -> None:
    with pytest.raises(AddressRefused, match="Plain HTTP"):
        resolve("http", address, 443, ())


@pytest.mark.parametrize("port", [22, 25, 80, 5432, 6379, 8080])
def test_only_the_ports_of_webhooks_are_reached(port: int) -> None:
    with pytest.raises(AddressRefused, match=f"Port {port}"):
        resolve("https", PUBLIC[0], port, ())


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
    ],
)
def test_the_networks_that_the_operator_lists_are_reached(address: str, network: str, reached: bool) -> None:
    allowed = [ip_network(network)]
    if reached:
        assert resolve("http", address, 9000, allowed) == Target(address, 9000)
    else:
        with pytest.raises(AddressRefused):
            resolve("http", address, 9000, allowed)


def test_a_name_with_one_private_answer_is_refused_whatever_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC[0], 443)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answers)
    with pytest.raises(AddressRefused, match=re.escape("10.0.0.1")):
        resolve("https", "rebinding.example", 443, ())


def test_a_name_that_nobody_has_is_an_error_of_the_network() -> None:
    with pytest.raises(socket.gaierror):
        resolve("https", "no-such-host.invalid", 443, ())
