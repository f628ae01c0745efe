"""Tests of kept connections: they save time, and never misdirect or lose a message."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any

import pytest
from urllib3 import HTTPConnectionPool

from infrastructure.http_client import MAX_POOLS, HttpClient, HttpLimits
from tests.eventually import eventually
from tests.integration.names import Names
from tests.integration.partners import YES, Partner, partner
from tests.integration.test_webhook_transport import SEALER, message
from workers.transports.webhooks import WebhookTransport

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def running() -> Iterator[Partner]:
    with partner() as running:
        yield running


def transport(limits: HttpLimits | None = None, answers: Sequence[str] = ("127.0.0.1",)) -> WebhookTransport:
    """A transport for which every name leads to this machine."""
    client = HttpClient(LOOPBACK, resolver=Names(lambda _host: answers), limits=limits or HttpLimits())
    return WebhookTransport(SEALER, LOOPBACK, client)


def test_messages_to_one_host_share_a_connection(running: Partner) -> None:
    ours = transport()
    for _ in range(5):
        assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
    assert (running.connections, len(running.arrived)) == (1, 5)


def test_two_hosts_at_one_address_never_share_a_connection(running: Partner) -> None:
    ours = transport()
    for _ in range(2):
        for host in ("one.example", "two.example"):
            assert ours.send(message(f"http://{host}:{running.port}/")).error is None
    by_connection = {(number, b"one.example" in head) for number, head in running.arrived}
    assert len(by_connection) == running.connections == 2


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(running: Partner) -> None:
    ours = transport()
    assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
    running.hang_up()
    eventually(lambda: running.ended == {1}, "the end of the connection")
    assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
    # Each arrived once.
    assert [number for number, _head in running.arrived] == [1, 2]


def test_a_connection_that_dies_unseen_is_replaced_before_anything_arrived(
    running: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = transport()
    assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
    # As if it died between the look at it and the first byte.
    (kept,) = ours._client._sockets._open
    kept.close()
    monkeypatch.setattr("urllib3.connectionpool.is_connection_dropped", lambda _connection: False)
    assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
    assert [number for number, _head in running.arrived] == [1, 2]


def test_a_server_that_closes_silently_gets_every_message_once(running: Partner) -> None:
    running.answers = 1
    ours = transport()
    for _ in range(5):
        assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
        eventually(lambda: len(running.ended) == running.connections, "the end of the connection")
    assert (running.connections, len(running.arrived)) == (5, 5)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(YES.replace(b"content-length", b"connection: close\r\ncontent-length"), id="it closes"),
        pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", id="it speaks HTTP 1.0"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000, id="too long an answer"),
    ],
)
def test_a_connection_is_not_used_again_when(running: Partner, answer: bytes) -> None:
    running.answer = answer
    ours = transport()
    for _ in range(2):
        assert ours.send(message(f"http://partner.example:{running.port}/")).status_code == 200
    assert running.used() == {1, 2}
    eventually(lambda: not running.open, "the end of both connections")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", id="an empty body"),
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", id="chunks"),
        pytest.param(b"HTTP/1.1 500 Oh\r\ncontent-length: 60000\r\n\r\n" + b"x" * 60_000, id="much, and no success"),
    ],
)
def test_whatever_was_read_to_its_end_leaves_a_connection_usable(running: Partner, answer: bytes) -> None:
    running.answer = answer
    ours = transport()
    statuses = {ours.send(message(f"http://partner.example:{running.port}/")).status_code for _ in range(3)}
    assert len(statuses) == 1
    assert running.connections == 1


def test_a_connection_idle_for_long_is_not_reused(running: Partner) -> None:
    ours = transport(HttpLimits(idle=0.0))
    for number in range(1, 4):
        assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
        assert running.connections == number
    eventually(lambda: running.ended >= {1, 2}, "the end of those before")


def test_many_threads_send_each_message_once_and_leave_few_connections(running: Partner) -> None:
    ours = transport(HttpLimits(idle=60))
    urls = [f"http://partner.example:{running.port}/{number}" for number in range(640)]
    with ThreadPoolExecutor(64) as pool:
        reports = list(pool.map(lambda url: ours.send(message(url)), urls))
    assert {report.error for report in reports} == {None}
    assert {report.response for report in reports} == {"ok"}
    assert sorted(head.split()[1] for head in running.heads()) == sorted(f"/{number}" for number in range(640))
    assert running.connections <= 64
    ours.close()
    eventually(lambda: not running.open, "the end of all connections")


def test_connections_to_only_so_many_hosts_are_kept(running: Partner) -> None:
    ours = transport(HttpLimits(idle=60))
    for number in range(MAX_POOLS + 3):
        assert ours.send(message(f"http://h{number}.example:{running.port}/")).error is None
    eventually(lambda: len(running.ended) == 3, "the end of those that waited for longest")
    assert len(running.open) == MAX_POOLS
    ours.close()


def test_where_one_address_refuses_another_of_the_name_is_tried(running: Partner) -> None:
    ours = transport(answers=("127.0.0.3", "127.0.0.1"))
    assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
    assert running.connections == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"])
def test_an_answer_that_ends_too_early_is_none(answer: bytes) -> None:
    with partner() as running:
        running.answer, running.answers = answer, 1
        report = transport().send(message(f"http://partner.example:{running.port}/"))
    assert (report.error_class, report.error) == ("protocol", "The connection ended before an answer was complete.")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"\x15\x03\x01\x00\x02",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n",
    ],
)
def test_an_answer_that_is_no_http_is_not_quoted(answer: bytes) -> None:
    with partner() as running:
        running.answer, running.answers = answer, 1
        report = transport().send(message(f"http://partner.example:{running.port}/"))
    assert (report.error_class, report.error) == ("protocol", "The answer was not HTTP.")
    assert report.response is None


def test_a_pool_that_was_closed_meanwhile_is_replaced(running: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = transport()
    pools, looked_up = ours._client._pools, list[HTTPConnectionPool]()
    lookup = pools.connection_from_host

    def closed_once(*named: Any) -> HTTPConnectionPool:
        looked_up.append(found := lookup(*named))
        if len(looked_up) == 1:
            # As at the end of its client.
            found.close()
            pools.clear()
        return found

    monkeypatch.setattr(pools, "connection_from_host", closed_once)
    assert ours.send(message(f"http://partner.example:{running.port}/")).error is None
    assert len(looked_up) == 2
