"""Tests of the URLs that webhook endpoints may have, and of the addresses that they may resolve to."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.kernel.address import (
    MAX_URL_CHARACTERS,
    AddressRefused,
    Network,
    checked_address,
    host_of,
    read_address,
    require_reachable,
)
from workflows.kernel.errors import Invalid

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
INTRANET = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))

# An address, and how it is stored.
PUBLIC = {
    "https://partner.example": "https://partner.example",
    "https://partner.example/": "https://partner.example/",
    "https://partner.example/hooks/tutelage?key=1&b=%20": "https://partner.example/hooks/tutelage?key=1&b=%20",
    "HTTPS://Partner.EXAMPLE/Hooks": "https://partner.example/Hooks",
    "https://partner.example:443/x": "https://partner.example/x",
    "https://partner.example:8443/x": "https://partner.example:8443/x",
    "https://partner.example?": "https://partner.example",
    "https://a-b--c.partner.example": "https://a-b--c.partner.example",
    "https://1password.example": "https://1password.example",
    "https://127.0.0.1.nip.example": "https://127.0.0.1.nip.example",
    "https://0x7f.example": "https://0x7f.example",
    "https://bücher.example/x": "https://xn--bcher-kva.example/x",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "https://part%6eer.example": "https://partner.example",
    "https://@partner.example:": "https://partner.example",
    "https://partner.example/ä?q=<a>": "https://partner.example/%C3%A4?q=%3Ca%3E",
    "https://partner.example/%zz": "https://partner.example/%25zz",
    "https://partner.example/a/../b": "https://partner.example/b",
    "https://partner.example/a;b=(c)!*'$,@:~": "https://partner.example/a;b=(c)!*'$,@:~",
}

# Loopback, private, link-local and metadata addresses, in every notation that some resolver understands, and others.
LITERALS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0.0.0.0",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "0x7f000001",
    "0x7f.0.0.1",
    "0X7F.0x0.0x0.0x1",
    "0x7f.1",
    "127.0.0.0x1",
    "0x",
    "127.0.0.1.",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "192.168.257",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "168.63.129.16",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "4294967296",
    "1.2.3.4.5",
    "256.256.256.256",
    "8.8.8.8",
    "１２７.０.０.１",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[fe80::1]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:db8::1]",
    "[2606:4700:4700::1111]",
    "[v1.fe80]",
    "[127.0.0.1]",
    "[::1",
    "::1",
    "[]",
]
OTHERS = [
    "",
    "partner.example",
    "//partner.example",
    "https:partner.example",
    "https:/partner.example",
    "https://",
    "https:///path",
    "https://?x",
    "http://partner.example",
    "ftp://partner.example",
    "file:///etc/passwd",
    "gopher://partner.example",
    "javascript:alert(1)",
    "https://user@partner.example",
    "https://user:secret@partner.example",
    "https://:@partner.example",
    "https://partner.example@127.0.0.1",
    "https://partner.example\\@127.0.0.1",
    "https://partner.example\\.evil.example",
    "https://partner.example#fragment",
    "https://partner.example/#",
    "https://partner.example:80",
    "https://partner.example:22",
    "https://partner.example:0",
    "https://partner.example:65536",
    "https://partner.example:99999999",
    "https://partner.example:+443",
    "https://partner.example:４４３",
    "https://partner.example:443:443",
    "https://partner.example.",
    "https://.partner.example",
    "https://partner..example",
    "https://-partner.example",
    "https://partner-.example",
    "https://part_ner.example",
    "https://ＰＡＲＴＮＥＲ.example",
    "https://partner。example",
    "https://☃.example",
    "https://partner.example:-1/",
    "https://partner.example:http/",
    "https://partner\u00a0.example/",
    "https://partner.example%00.evil.example",
    "https://partner.example%2f@evil.example",
    "https://localhost",
    "https://LOCALHOST",
    "https://hooks.localhost",
    "https://internal",
    "https://ｌｏｃａｌｈｏｓｔ",
    "https://xn--.example",
    "https://xn--zz.example",
    "https://\u202epartner.example",
    "https://part\u00adner.example\u200b/",
    "https://\u2488partner.example",
    "https://partner.example/a b",
    " https://partner.example",
    "https://partner.example ",
    "https://partner.example/\n",
    "https://partner.example/\r\nHost: evil.example",
    "https://part\tner.example",
    "https://partner.example/\x00",
    "https://partner.example/\x7f",
    "https://partner.example/\u2028",
    "ht\ntps://partner.example",
    "https://" + "a" * 64 + ".example",
    "https://" + "a." * 130 + "example",
    "https://partner.example/" + "a" * MAX_URL_CHARACTERS,
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_address_is_stored_in_one_writing(url: str) -> None:
    stored = checked_address(url, ())
    assert stored == PUBLIC[url]
    assert checked_address(stored, ()) == stored


@pytest.mark.parametrize("host", LITERALS)
def test_a_literal_address_is_refused_in_any_notation(host: str) -> None:
    for url in (f"https://{host}/", f"https://{host}:8443/", f"http://{host}/"):
        with pytest.raises(Invalid) as refused:
            checked_address(url, ())
        assert set(refused.value.details or {}) == {"url"}


@pytest.mark.parametrize("url", OTHERS)
def test_an_invalid_or_private_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        checked_address(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/x",
        "http://127.200.3.4",
        "https://[::1]:9000",
        "http://localhost:9000",
        "http://hooks.localhost",
        "http://receiver:9000",
        "http://hooks.internal:9000",
        "http://hooks.home.arpa",
    ],
)
def test_allowed_networks_permit_http_and_any_port(url: str) -> None:
    assert checked_address(url, LOOPBACK) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example",
        "http://partner.example:443",
        "https://partner.example:22",
        "https://partner.example:9000",
        "http://internal.example",
        "http://localhost.example:9000",
    ],
)
@pytest.mark.parametrize("allowed", [LOOPBACK, INTRANET])
def test_allowed_networks_do_not_relax_rules_for_public_names(url: str, allowed: tuple[Network, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        checked_address(url, allowed)
    assert set(refused.value.details or {}) == {"url"}


# Where the operator lists networks, exactly those open up.
@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://10.0.0.1", LOOPBACK),
        ("http://127.0.0.1", INTRANET),
        ("http://localhost", INTRANET),
        ("http://[::1]", INTRANET),
        ("http://[::ffff:10.0.0.1]", (*INTRANET, ip_network("::/0"))),
        ("http://2130706433", LOOPBACK),
        ("http://127.1", LOOPBACK),
        ("http://0177.0.0.1", LOOPBACK),
        ("http://0x7f.1", LOOPBACK),
        ("http://169.254.169.254", INTRANET),
        ("ftp://10.0.0.1", INTRANET),
        ("http://user@10.0.0.1", INTRANET),
        ("http://10.0.0.1:0", INTRANET),
    ],
)
def test_what_the_operator_does_not_list_stays_closed(url: str, allowed: tuple[Network, ...]) -> None:
    with pytest.raises(Invalid):
        checked_address(url, allowed)


def test_one_writing_of_an_ipv6_address_is_stored() -> None:
    assert checked_address("http://[0:0:0:0:0:0:0:1]/x", LOOPBACK) == "http://[::1]/x"


@given(url=st.one_of(st.text(), st.text().map("https://".__add__), st.text().map("https://partner.example/".__add__)))
def test_any_text_is_refused_or_stored_as_ascii(url: str) -> None:
    try:
        stored = checked_address(url, ())
    except Invalid:
        return
    assert stored.isascii()
    assert stored.isprintable()
    assert stored.startswith("https://")
    assert checked_address(stored, ()) == stored


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://partner.example", "partner.example", 443, "/", "partner.example"),
        ("https://partner.example/in?from=us", "partner.example", 443, "/in?from=us", "partner.example"),
        ("https://partner.example?a", "partner.example", 443, "/?a", "partner.example"),
        ("https://partner.example:443/", "partner.example", 443, "/", "partner.example"),
        ("https://partner.example:8443/", "partner.example", 8443, "/", "partner.example:8443"),
        ("HTTPS://Partner.EXAMPLE/In", "partner.example", 443, "/In", "partner.example"),
        # IDNA 2008.
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        # Numbers elsewhere than at the end make no address.
        ("https://1.2.3.4.example/", "1.2.3.4.example", 443, "/", "1.2.3.4.example"),
        ("https://0x7f.example/", "0x7f.example", 443, "/", "0x7f.example"),
    ],
)
def test_a_url_is_read(url: str, host: str, port: int, target: str, authority: str) -> None:
    read = read_address(url, ())
    assert (read.host, read.port, read.target, read.authority) == (host, port, target, authority)
    assert read.literal is None


def test_logs_get_the_host_of_a_url_alone() -> None:
    assert host_of("https://user:hunter2@partner.example:8443/secret?token=1#x") == "partner.example:8443"
    assert host_of("nonsense") == ""


PUBLIC_ADDRESSES = [
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
    # Multicast and broadcast.
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


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
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
        # Addresses that the operator lists are reached by any scheme and port.
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
