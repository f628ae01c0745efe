"""Tests of webhooks over real sockets: signed, to checked addresses, and no receiver can hold them up."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from cli.embedded import free_port
from config.sealing import Sealer
from infrastructure.http_client import HttpClient, HttpLimits
from infrastructure.network import DnsResolver, Resolver
from tests.integration.names import Names, name_server
from tests.integration.partners import Partner, partner
from tests.receivers import HttpReceiver, Talk, dripping, http_receiver, silent, talker
from workers.transports.webhooks import WebhookTransport
from workflows.effects.webhooks import WebhookMessage
from workflows.webhooks.headers import sealed_headers
from workflows.webhooks.secrets import new_secret

SEALER = Sealer(["a passphrase of the tests"])
LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRETS = [new_secret(), new_secret()]
BODY = json.dumps({"type": "session.completed", "data": {"note": "ä"}}).encode()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def transport() -> WebhookTransport:
    """The transport as in development: this machine may be reached."""
    return WebhookTransport(SEALER, LOOPBACK)


def message(url: str, **headers: Any) -> WebhookMessage:
    """A message signed with two secrets, as while one replaces the other."""
    sealed = [SEALER.seal(secret) for secret in SECRETS]
    return WebhookMessage(
        url=url,
        webhook_id=uuid4(),
        delivery_id=uuid4(),
        endpoint_id=uuid4(),
        body=BODY,
        headers=sealed_headers(headers, SEALER.seal),
        sealed_secrets=sealed,
        prepared_at=datetime.now(UTC),
    )


def test_the_databases_clock_dates_a_message(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    # A worker whose clock is wrong by ten minutes: receivers refuse what is dated five minutes off.
    databases = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    until = format_datetime(databases + timedelta(hours=1), usegmt=True)
    receiver.status, receiver.headers = 503, {"Retry-After": until}
    report = transport.send(replace(message(f"{receiver.url}/hooks"), prepared_at=databases))
    (request,) = receiver.requests
    assert request.headers["webhook-timestamp"] == str(int(databases.timestamp()))
    assert report.retry_after == timedelta(hours=1)


def test_what_arrives_is_verified_by_the_library_with_either_secret(
    transport: WebhookTransport, receiver: HttpReceiver
) -> None:
    sent = message(f"{receiver.url}/hooks/in?from=us")
    report = transport.send(sent)
    assert (report.error, report.status_code, report.permanent) == (None, 204, False)
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/hooks/in?from=us", BODY)
    for secret in SECRETS:
        assert Webhook(secret).verify(request.body, request.headers) == json.loads(BODY)
    assert request.headers["webhook-id"] == str(sent.webhook_id)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == receiver.url.removeprefix("http://")


def test_the_endpoints_own_headers_are_sent_along_and_ours_win(
    transport: WebhookTransport, receiver: HttpReceiver
) -> None:
    transport.send(message(receiver.url, **{"x-tenant": "7", "webhook-id": "forged", "content-type": "text/html"}))
    (request,) = receiver.requests
    assert request.headers["x-tenant"] == "7"
    assert request.headers["webhook-id"] != "forged"
    assert request.headers["content-type"] == "application/json"
    assert request.path == "/"


def test_headers_are_sealed_until_they_are_sent(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    outgoing = message(receiver.url, Authorization="Bearer hush")
    assert "hush" not in repr(outgoing)
    assert "hush" not in str(outgoing.headers)
    transport.send(outgoing)
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Bearer hush"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_yes(transport: WebhookTransport, receiver: HttpReceiver, status: int) -> None:
    receiver.status = status
    report = transport.send(message(receiver.url))
    assert (report.error, report.error_class, report.status_code) == (None, None, status)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
def test_any_other_response_is_described_and_tried_again(
    transport: WebhookTransport, receiver: HttpReceiver, status: int
) -> None:
    receiver.status, receiver.body = status, b"go away"
    report = transport.send(message(receiver.url))
    assert report.error == f"The receiver answered {status}."
    # Only who is gone for good is not tried again.
    assert (report.status_code, report.response, report.permanent) == (status, "go away", status == 410)
    assert report.error_class == "status"


def test_a_redirect_is_not_followed(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    with http_receiver() as elsewhere:
        receiver.status, receiver.headers = 307, {"location": elsewhere.url}
        report = transport.send(message(receiver.url))
        assert report.status_code == 307
        assert report.error == "The receiver answered 307; redirects are not followed."
        assert report.error_class == "redirect"
        assert elsewhere.requests == []


def test_the_receivers_wish_is_heard(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    receiver.status, receiver.headers = 429, {"retry-after": "120"}
    assert transport.send(message(receiver.url)).retry_after == timedelta(minutes=2)


def test_of_an_endless_answer_a_little_is_read(transport: WebhookTransport) -> None:
    said = 0

    def flood(connection: socket.socket, _stop: object) -> None:
        nonlocal said
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x" * 100_000)
            said += 100_000

    with talker(flood) as port:
        report = transport.send(message(f"http://127.0.0.1:{port}/"))
    assert report.error is None
    assert len(report.response or "") == 4096
    # The bytes in the sockets' buffers are sent, and no others.
    assert said < 9_000_000


def test_any_answer_of_a_receiver_can_be_stored(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    receiver.body = b"\x00\xff\xfe nul and no text \xf0\x9f"
    report = transport.send(message(receiver.url))
    assert "\x00" not in (report.response or "")
    (report.response or "").encode()


@pytest.mark.parametrize(
    ("url", "error_class", "error"),
    [
        ("http://127.0.0.1:{closed}/", "connect", "The connection could not be made."),
        ("https://no-such-host.invalid/hook", "dns", "The host was not found."),
        ("https://127.0.0.1:{plain}/", "tls", "TLS: no secure connection could be agreed on."),
    ],
)
def test_a_failed_connection_is_described(
    transport: WebhookTransport, receiver: HttpReceiver, url: str, error_class: str, error: str
) -> None:
    plain = receiver.url.rpartition(":")[2]
    report = transport.send(message(url.format(closed=free_port(), plain=plain)))
    assert (report.error_class, report.error, receiver.requests) == (error_class, error, [])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/"]
)
def test_without_leave_this_machine_is_not_reached(receiver: HttpReceiver, url: str) -> None:
    port = receiver.url.rpartition(":")[2]
    report = WebhookTransport(SEALER, ()).send(message(url.format(port=port)))
    assert (report.error_class, report.error) == ("refused_address", "The address is not allowed.")
    assert receiver.requests == []


def test_plain_http_is_not_sent_to_the_internet() -> None:
    client = HttpClient(LOOPBACK, resolver=Names(lambda _host: ["93.184.216.34"]))
    report = WebhookTransport(SEALER, LOOPBACK, client).send(message("http://partner.example/hook"))
    assert (report.error_class, report.error) == ("refused_address", "The address is not allowed.")


def test_a_secret_that_cannot_be_unsealed_is_a_defect(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    sealed = Sealer(["another passphrase"]).seal(new_secret())
    with pytest.raises(Exception, match="ENCRYPTION_KEYS no longer holds"):
        transport.send(replace(message(receiver.url), sealed_secrets=[sealed]))
    assert receiver.requests == []


ONE_ADDRESS = (ip_network("127.0.0.1/32"),)
NOT_ALLOWED = "The address is not allowed."


@pytest.fixture
def running() -> Iterator[Partner]:
    """A server on this machine, which some of these must not reach."""
    with partner() as running:
        yield running


def guarded(resolver: Resolver, limits: HttpLimits | None = None) -> WebhookTransport:
    """A transport that may reach 127.0.0.1 alone besides the internet."""
    return WebhookTransport(
        SEALER, ONE_ADDRESS, HttpClient(ONE_ADDRESS, resolver=resolver, limits=limits or HttpLimits())
    )


def answering(*answers: Sequence[str]) -> Names:
    rest = list(answers)
    return Names(lambda _host: rest.pop(0))


def test_a_message_goes_to_the_address_that_was_checked(running: Partner) -> None:
    # The second answer would be the one that an attacker wants to be connected to.
    ours = guarded(answering(["127.0.0.1"], ["127.0.0.2"]))
    assert ours.send(message(f"http://rebinding.example:{running.port}/")).error is None
    assert running.connections == 1


def test_a_changed_name_is_checked_for_every_message(running: Partner) -> None:
    ours = guarded(answering(["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]))
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
    report = guarded(Names(lambda _host: answer)).send(message(f"http://rebinding.example:{running.port}/"))
    assert report.error == NOT_ALLOWED
    assert running.connections == 0


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1%25lo]"]
)
def test_loopback_in_other_notations_is_refused(running: Partner, host: str) -> None:
    asked: list[str] = []

    def resolved(name: str) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    report = guarded(Names(resolved)).send(message(f"http://{host}:{running.port}/"))
    assert report.error == NOT_ALLOWED
    assert (asked, running.connections) == ([], 0)


def test_no_proxy_of_the_environment_is_asked(running: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    with partner() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        ours = guarded(Names())
        assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
        assert proxy.connections == 0


def test_no_cookie_is_kept_and_nothing_is_unpacked(running: Partner) -> None:
    packed = b"\x1f\x8b no gzip at all"
    running.answer = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (
        len(packed),
        packed,
    )
    ours = guarded(Names())
    reports = [ours.send(message(f"http://partner.example:{running.port}/")) for _ in range(2)]
    assert [report.response for report in reports] == [packed.decode("utf-8", "replace")] * 2
    assert all("cookie" not in head.lower() for head in running.heads())
    assert all("\r\naccept-encoding: identity\r\n" in head.lower() for head in running.heads())


def test_a_header_that_would_be_two_is_not_sent(running: Partner) -> None:
    ours = guarded(Names())
    report = ours.send(message(f"http://partner.example:{running.port}/", **{"x-a": "1\r\nhost: other"}))
    assert (report.error_class, report.error) == ("header", "The endpoint's headers cannot be sent.")
    assert running.arrived == []


def test_every_header_arrives_once(running: Partner) -> None:
    headers = {"Host": "other", "Content-Length": "0", "X-Tenant": "7", "WEBHOOK-ID": "forged"}
    guarded(Names()).send(message(f"http://partner.example:{running.port}/in", **headers))
    (head,) = running.heads()
    names = [line.partition(":")[0].lower() for line in head.splitlines()[1:]]
    assert sorted(names) == sorted(set(names))
    assert f"host: partner.example:{running.port}" in head.lower()
    assert "content-length: 0" not in head.lower()


def test_a_name_server_that_hangs_holds_no_sender() -> None:
    with name_server({}) as silent_server, ThreadPoolExecutor(16) as pool:
        ours = guarded(DnsResolver([silent_server.address]), HttpLimits(connect=0.3, deadline=5))
        began = time.monotonic()
        reports = list(pool.map(lambda n: ours.send(message(f"http://hanging.example/{n}")), range(16)))
    # One after the other, they would take 4.8 s.
    assert time.monotonic() - began < 4
    assert {report.error for report in reports} == {"The host was not found."}


def test_looking_up_counts_against_the_deadline() -> None:
    with name_server({}) as silent_server:
        ours = guarded(DnsResolver([silent_server.address]), HttpLimits(connect=5, deadline=0.3))
        assert ours.send(message("http://hanging.example/")).error == "No complete answer within 0.3 s."


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
        pytest.param("http", dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="promises without end"),
        pytest.param("https", silent, id="silence instead of TLS"),
        pytest.param("https", dripping(RECORD, b"\x00"), id="a dripping TLS handshake"),
    ],
)
def test_the_deadline_holds_against_silent_and_dripping_servers(scheme: str, talk: Talk) -> None:
    ours = guarded(Names(), HttpLimits(deadline=0.5))
    with talker(talk) as port, talker(talk) as another:
        urls = [f"{scheme}://partner.example:{each}/" for each in (port, another)]
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(lambda url: ours.send(message(url)), urls))
    assert {report.error for report in reports} == {"No complete answer within 0.5 s."}
    assert {report.response for report in reports} == {None}


def test_interim_answers_in_a_flood_end_before_the_deadline() -> None:
    def flood(connection: socket.socket, stop: Event) -> None:
        connection.recv(65536)
        while not stop.is_set():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    ours = guarded(Names(), HttpLimits(deadline=10))
    with talker(flood) as port:
        report = ours.send(message(f"http://partner.example:{port}/"))
    assert (report.error is None, report.error_class) == (False, "protocol")


def test_the_log_has_the_reason_that_partners_do_not_get() -> None:
    ours = guarded(Names(lambda _host: ["10.1.2.3"]))
    sent = message("https://partner.example/secret-path?token=hunter2")
    with capture_logs() as lines:
        report = ours.send(sent)
    assert report.error == NOT_ALLOWED
    (line,) = lines
    assert line["delivery_id"] == sent.delivery_id
    assert line["host"] == "partner.example"
    assert line["detail"] == "AddressRefused: 10.1.2.3 is not a public address."
    assert not any(secret in str(lines) for secret in ("hunter2", "secret-path", *SECRETS))


def test_the_log_quotes_no_receiver(running: Partner) -> None:
    running.answer, running.answers = b"GET out of here, hunter2\r\n\r\n", 1
    with capture_logs() as lines:
        guarded(Names()).send(message(f"http://partner.example:{running.port}/"))
    assert len(lines) == 1
    assert "hunter2" not in str(lines)


def test_a_malformed_url_is_reported_as_refused_address() -> None:
    report = guarded(Names()).send(replace(message("x"), url="https://[::1/\r\nx: y"))
    assert report.error == NOT_ALLOWED
