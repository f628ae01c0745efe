"""Tests of webhooks over real sockets: signed, to checked addresses, and no receiver can hold them up."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from config.sealing import Sealer
from tests.eventually import stretched
from tests.integration.names import Names
from tests.integration.receivers import HttpReceiver, Talk, dripping, hanging_up, http_receiver, silent, talker
from workers.transports.http import HttpClient, HttpLimits, WebhookTransport
from workflows.effects.webhooks import WebhookMessage
from workflows.webhooks.headers import sealed_headers
from workflows.webhooks.secrets import new_secret

SEALER = Sealer(["a passphrase of the tests"])
LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRETS = [new_secret(), new_secret()]
BODY = json.dumps({"type": "session.completed", "data": {"note": "ä"}}).encode()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A web server on this machine."""
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
        url=url, webhook_id=uuid4(), endpoint_id=uuid4(), body=BODY, headers=headers, sealed_secrets=sealed
    )


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


def test_sealed_headers_are_unsealed_and_plain_ones_sent(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    sealed = sealed_headers({"Authorization": "Bearer hush", "X-Tenant": "7"}, SEALER.seal)
    assert "hush" not in str(sealed)
    told = message(receiver.url, **sealed, **{"X-Older": "plain"})
    assert "hush" not in repr(told)
    transport.send(told)
    (request,) = receiver.requests
    sent = [request.headers[name] for name in ("authorization", "x-tenant", "x-older")]
    assert sent == ["Bearer hush", "7", "plain"]


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
    # What the sockets buffer is sent all the same; the rest is not.
    assert said < 9_000_000


def test_what_a_receiver_says_can_be_stored(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    receiver.body = b"\x00\xff\xfe nul and no text \xf0\x9f"
    report = transport.send(message(receiver.url))
    assert "\x00" not in (report.response or "")
    (report.response or "").encode()


HEADERS = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n"


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(silent, id="silence"),
        pytest.param(dripping(b"", b"H"), id="a dripping status line"),
        pytest.param(dripping(HEADERS, b"x-more: y\r\n", every=0.05), id="headers without end"),
        pytest.param(dripping(HEADERS + b"\r\n", b"x"), id="a dripping body"),
        pytest.param(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="promises without end"),
    ],
)
def test_a_slow_receiver_is_cut_off_at_the_deadline(talk: Talk) -> None:
    # Each read gets an answer in time; only an absolute deadline ends this.
    transport = WebhookTransport(SEALER, LOOPBACK, HttpClient(LOOPBACK, limits=HttpLimits(deadline=0.6)))
    with talker(talk) as port:
        began = time.monotonic()
        report = transport.send(message(f"http://127.0.0.1:{port}/"))
        took = time.monotonic() - began
    assert (report.error_class, report.error) == ("timeout", "No complete answer within 0.6 s.")
    assert not report.permanent
    assert 0.5 < took < stretched(1.6)


def test_a_receiver_that_hangs_up_is_told_in_words(transport: WebhookTransport) -> None:
    with talker(hanging_up) as port:
        report = transport.send(message(f"http://127.0.0.1:{port}/"))
    assert (report.error_class, report.error) == ("protocol", "The connection ended before an answer was complete.")
    assert report.status_code is None


def test_nobody_listening_is_told_in_words(transport: WebhookTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    report = transport.send(message(f"http://127.0.0.1:{port}/"))
    assert (report.error_class, report.error) == ("connect", "The connection could not be made.")


def test_a_host_that_nobody_has_is_told_in_words(transport: WebhookTransport) -> None:
    report = transport.send(message("https://no-such-host.invalid/hook"))
    assert (report.error_class, report.error) == ("dns", "The host was not found.")


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


def test_https_to_what_speaks_no_tls_is_told_in_words(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    report = transport.send(message(receiver.url.replace("http://", "https://")))
    assert (report.error_class, report.error) == ("tls", "TLS: no secure connection could be agreed on.")
    assert receiver.requests == []


def test_a_secret_that_cannot_be_unsealed_is_a_defect(transport: WebhookTransport, receiver: HttpReceiver) -> None:
    sealed = Sealer(["another passphrase"]).seal(new_secret())
    with pytest.raises(Exception, match="ENCRYPTION_KEYS no longer holds"):
        transport.send(replace(message(receiver.url), sealed_secrets=[sealed]))
    assert receiver.requests == []
