"""Tests of the way out as an attacker would try it: names that change their minds, and servers that take their time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_network
from threading import Event

import pytest
from structlog.testing import capture_logs

from tests.eventually import stretched
from tests.integration.names import Names, name_server
from tests.integration.partners import Partner, partner
from tests.integration.receivers import Talk, dripping, silent, talker
from tests.integration.test_webhook_transport import SEALER, SECRETS, message
from workers.transports.http import HttpClient, HttpLimits, WebhookTransport
from workers.transports.network import DnsResolver, Resolver

LOOPBACK = (ip_network("127.0.0.1/32"),)
NOT_ALLOWED = "The address is not allowed."


@pytest.fixture
def running() -> Iterator[Partner]:
    """A server on this machine, which some of these must not reach."""
    with partner() as running:
        yield running


def transport(resolver: Resolver, limits: HttpLimits | None = None) -> WebhookTransport:
    """A transport that may reach 127.0.0.1 alone besides the internet."""
    return WebhookTransport(SEALER, LOOPBACK, HttpClient(LOOPBACK, resolver=resolver, limits=limits or HttpLimits()))


def answering(*answers: Sequence[str]) -> Names:
    """Names that lead elsewhere every time."""
    rest = list(answers)
    return Names(lambda _host: rest.pop(0))


def test_a_message_goes_to_the_address_that_was_checked(running: Partner) -> None:
    # The second answer would be the one that an attacker wants to be connected to.
    ours = transport(answering(["127.0.0.1"], ["127.0.0.2"]))
    assert ours.send(message(f"http://rebinding.example:{running.port}/")).error is None
    assert running.connections == 1


def test_a_changed_name_is_checked_for_every_message(running: Partner) -> None:
    ours = transport(answering(["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]))
    errors = [ours.send(message(f"http://rebinding.example:{running.port}/")).error for _ in range(4)]
    # Nor does the connection that is kept for the old address carry a message to the new one.
    assert errors == [None, NOT_ALLOWED, NOT_ALLOWED, None]
    assert len(running.arrived) == 2


@pytest.mark.parametrize(
    "answer",
    [
        ["10.0.0.1"],
        ["127.0.0.1", "10.0.0.1"],
        ["127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"],
        ["127.0.0.1", "fe80::1%eth0"],
        ["127.0.0.1", "64:ff9b::7f00:1"],
        # Public, but not over plain HTTP.
        ["127.0.0.1", "93.184.216.34"],
    ],
)
def test_one_wrong_answer_among_good_ones_refuses_the_name(running: Partner, answer: list[str]) -> None:
    report = transport(Names(lambda _host: answer)).send(message(f"http://rebinding.example:{running.port}/"))
    assert report.error == NOT_ALLOWED
    assert running.connections == 0


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1%25lo]"]
)
def test_loopback_in_other_notations_is_refused(running: Partner, host: str) -> None:
    asked: list[str] = []
    names = Names(lambda name: asked.append(name) or ["127.0.0.1"])
    report = transport(names).send(message(f"http://{host}:{running.port}/"))
    assert report.error == NOT_ALLOWED
    assert (asked, running.connections) == ([], 0)


def test_no_proxy_of_the_environment_is_asked(running: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    with partner() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        ours = transport(Names())
        assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
        assert proxy.connections == 0


def test_no_cookie_is_kept_and_nothing_is_unpacked(running: Partner) -> None:
    packed = b"\x1f\x8b no gzip at all"
    running.answer = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (
        len(packed),
        packed,
    )
    ours = transport(Names())
    reports = [ours.send(message(f"http://partner.example:{running.port}/")) for _ in range(2)]
    assert [report.response for report in reports] == [packed.decode("utf-8", "replace")] * 2
    assert all("cookie" not in head.lower() for head in running.heads())
    assert all("\r\naccept-encoding: identity\r\n" in head.lower() for head in running.heads())


def test_a_header_that_would_be_two_is_not_sent(running: Partner) -> None:
    ours = transport(Names())
    report = ours.send(message(f"http://partner.example:{running.port}/", **{"x-a": "1\r\nhost: other"}))
    assert (report.error_class, report.error) == ("header", "The endpoint's headers cannot be sent.")
    assert running.arrived == []


def test_every_header_arrives_once(running: Partner) -> None:
    headers = {"Host": "other", "Content-Length": "0", "X-Tenant": "7", "WEBHOOK-ID": "forged"}
    transport(Names()).send(message(f"http://partner.example:{running.port}/in", **headers))
    (head,) = running.heads()
    names = [line.partition(":")[0].lower() for line in head.splitlines()[1:]]
    assert sorted(names) == sorted(set(names))
    assert f"host: partner.example:{running.port}" in head.lower()
    assert "content-length: 0" not in head.lower()


def test_a_name_server_that_hangs_holds_no_sender() -> None:
    with name_server({}) as silent_server, ThreadPoolExecutor(16) as pool:
        ours = transport(DnsResolver([silent_server.address]), HttpLimits(connect=0.3, deadline=5))
        began = time.monotonic()
        reports = list(pool.map(lambda n: ours.send(message(f"http://hanging.example/{n}")), range(16)))
    assert time.monotonic() - began < stretched(1.3)
    assert {report.error for report in reports} == {"The host was not found."}


def test_looking_up_counts_against_the_deadline() -> None:
    with name_server({}) as silent_server:
        ours = transport(DnsResolver([silent_server.address]), HttpLimits(connect=5, deadline=0.3))
        began = time.monotonic()
        assert ours.send(message("http://hanging.example/")).error == "No complete answer within 0.3 s."
    assert time.monotonic() - began < stretched(1.3)


# The beginning of a TLS record that promises 16 kB.
RECORD = b"\x16\x03\x03\x40\x00\x02"


@pytest.mark.parametrize(
    ("scheme", "talk"),
    [
        pytest.param("http", silent, id="silence"),
        pytest.param("http", dripping(b"", b"H"), id="a dripping status line"),
        pytest.param("http", dripping(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), id="dripping headers"),
        pytest.param("http", dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), id="a dripping body without a length"),
        pytest.param(
            "http",
            dripping(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9999\r\n\r\n", b"x"),
            id="a dripping body after which the connection closes",
        ),
        pytest.param(
            "http",
            dripping(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            id="dripping chunks",
        ),
        pytest.param("https", silent, id="silence instead of TLS"),
        pytest.param("https", dripping(RECORD, b"\x00"), id="a dripping TLS handshake"),
    ],
)
def test_the_deadline_holds_against_silent_and_dripping_servers(scheme: str, talk: Talk) -> None:
    ours = transport(Names(), HttpLimits(deadline=0.5))
    with talker(talk) as port, talker(talk) as another:
        urls = [f"{scheme}://partner.example:{each}/" for each in (port, another)]
        began = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(lambda url: ours.send(message(url)), urls))
        assert time.monotonic() - began < stretched(1.5)
    assert {report.error for report in reports} == {"No complete answer within 0.5 s."}
    assert {report.response for report in reports} == {None}


def test_interim_answers_in_a_flood_end_before_the_deadline() -> None:
    def flood(connection: socket.socket, stop: Event) -> None:
        connection.recv(65536)
        while not stop.is_set():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    ours = transport(Names(), HttpLimits(deadline=10))
    began = time.monotonic()
    with talker(flood) as port:
        report = ours.send(message(f"http://partner.example:{port}/"))
    assert report.error is not None
    assert time.monotonic() - began < stretched(5)


def test_the_log_has_the_reason_that_partners_do_not_get() -> None:
    ours = transport(Names(lambda _host: ["10.1.2.3"]))
    sent = message("https://partner.example/secret-path?token=hunter2")
    with capture_logs() as lines:
        report = ours.send(sent)
    assert report.error == NOT_ALLOWED
    (line,) = lines
    assert line["webhook_id"] == sent.webhook_id
    assert line["host"] == "partner.example"
    assert line["detail"] == "AddressRefused: 10.1.2.3 is not a public address."
    assert not any(secret in str(lines) for secret in ("hunter2", "secret-path", *SECRETS))


def test_the_log_quotes_no_receiver(running: Partner) -> None:
    running.answer, running.answers = b"GET out of here, hunter2\r\n\r\n", 1
    with capture_logs() as lines:
        transport(Names()).send(message(f"http://partner.example:{running.port}/"))
    assert len(lines) == 1
    assert "hunter2" not in str(lines)


def test_a_malformed_url_is_reported_as_refused_address() -> None:
    report = transport(Names()).send(replace(message("x"), url="https://[::1/\r\nx: y"))
    assert report.error == NOT_ALLOWED
