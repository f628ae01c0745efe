"""Tests of URLs as the client reads them, by the same rules as the door: one way to understand each, or none."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from workflows.errors import Invalid
from workflows.webhooks.address import host_of, read_address

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://partner.example", "partner.example", 443, "/", "partner.example"),
        ("https://partner.example/in?from=us", "partner.example", 443, "/in?from=us", "partner.example"),
        ("https://partner.example?a", "partner.example", 443, "/?a", "partner.example"),
        ("https://partner.example:443/", "partner.example", 443, "/", "partner.example"),
        ("https://partner.example:8443/", "partner.example", 8443, "/", "partner.example:8443"),
        ("HTTPS://Partner.EXAMPLE/In", "partner.example", 443, "/In", "partner.example"),
        # IDNA 2008, with the mapping of UTS 46: dots, letters and digits in any script.
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://partner。example/", "partner.example", 443, "/", "partner.example"),
        # Numbers elsewhere than at the end make no address.
        ("https://1.2.3.4.example/", "1.2.3.4.example", 443, "/", "1.2.3.4.example"),
        ("https://0x7f.example/", "0x7f.example", 443, "/", "0x7f.example"),
    ],
)
def test_a_url_is_read(url: str, host: str, port: int, target: str, authority: str) -> None:
    read = read_address(url, ())
    assert (read.host, read.port, read.target, read.authority) == (host, port, target, authority)
    assert read.literal is None


LITERALS = [
    "127.0.0.1",
    "93.184.216.34",
    "169.254.169.254",
    "[::1]",
    "[2606:4700::1111]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    # In numbers that some take for addresses.
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0X7F000001",
    "0x7f.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "0x7f.0.0.0x1",
    "1.0x",
    "256.256.256.256",
    "1.2.3.4.5",
    # In digits and dots of other scripts.
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.0.0.1",
    # With zones.
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[::1%1]",
    "[v1.1]",
]


@pytest.mark.parametrize("host", LITERALS)
def test_an_address_is_no_host_however_it_is_written(host: str) -> None:
    with pytest.raises(Invalid):
        read_address(f"https://{host}/", ())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "１２７.０.０.１"])
def test_an_address_of_an_allowed_network_may_be_written_plainly(host: str) -> None:
    assert read_address(f"http://{host}:9000/", LOOPBACK).literal is not None


@pytest.mark.parametrize("host", [host for host in LITERALS if host not in ("127.0.0.1", "[::1]", "１２７.０.０.１")])
def test_even_where_a_network_is_allowed_unusual_notations_and_other_addresses_are_not(host: str) -> None:
    if host in ("127。0。0。1", "①②⑦.0.0.1"):
        assert str(read_address(f"http://{host}/", LOOPBACK).literal) == "127.0.0.1"
        return
    with pytest.raises(Invalid):
        read_address(f"http://{host}:9000/", LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "partner.example",
        "//partner.example/",
        "https:",
        "https:///in",
        "https://:443/",
        "ftp://partner.example/",
        "file:///etc/passwd",
        "gopher://partner.example/",
        "unix:///run/docker.sock",
        "http://partner.example/",
        # Credentials and fragments, empty ones too.
        "https://user@partner.example/",
        "https://user:password@partner.example/",
        "https://@partner.example/",
        "https://partner.example@127.0.0.1/",
        "https://partner.example/#part",
        "https://partner.example/#",
        # What parsers drop, turn around or read as an end.
        "https://partner.example/a b",
        "https://partner.example\\@127.0.0.1/",
        "https://partner.example/\r\nhost: other",
        "https://partner.example\n.other.example/",
        "https://partner.example\t/",
        " https://partner.example/",
        "https://partner.example/\x00",
        "https://partner.example/\x7f",
        "https://partner.example/\u2028",
        "https://partner\u00a0.example/",
        # Names that nobody can have, or only somebody in the operator's own network.
        "https://a1/",
        "https://localhost/",
        "https://partner.example./",
        "https://partner.example。/",
        "https://partner..example/",
        "https://.example/",
        "https://-partner.example/",
        "https://part_ner.example/",
        "https://part%6eer.example/",
        "https://xn--a/",
        "https://☃.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 127}example/",
        # Ports.
        "https://partner.example:0/",
        "https://partner.example:65536/",
        "https://partner.example:-1/",
        "https://partner.example:http/",
        "https://partner.example:80/",
        "https://partner.example:22/",
        # A path in other letters than ASCII's, and too much of one.
        "https://partner.example/ä",
        "https://partner.example/" + "a" * 2048,
    ],
)
def test_whatever_could_be_understood_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        read_address(url, ())


def test_a_log_learns_the_host_of_a_url_and_nothing_that_may_be_a_secret() -> None:
    assert host_of("https://user:hunter2@partner.example:8443/secret?token=1#x") == "partner.example:8443"
    assert host_of("nonsense") == ""
