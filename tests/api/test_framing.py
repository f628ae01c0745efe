"""What is no HTTP, or too much of it, is refused in the shape of every other error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from cli.servers import free_port
from tests.api.served import await_ready, connected, gunicorn, heard
from tests.application import SECRET, bearer

SHAPE = {"statusCode", "error", "message", "code", "requestId"}
TOKEN = bearer({"sub": "tests", "roles": ["operator"]})["Authorization"]
POST = f"POST /users HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\nContent-Type: application/json\r\n".encode()
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose database is never asked."""
    address = f"127.0.0.1:{free_port()}"
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    folder: Path = tmp_path_factory.mktemp("framing")
    with gunicorn(folder, address, DATABASE_URL=nowhere, JWT_SECRET=SECRET, API_THREADS="2"):
        await_ready(address)
        yield address


# What is sent → the status.
NO_REQUESTS = {
    "no request line": (b"hello\r\n\r\n", 400),
    "no version": (b"GET /me HTTP/9.9\r\n\r\n", 400),
    "no method": (b"G=T / HTTP/1.1\r\n\r\n", 400),
    "a header without a name": (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400),
    "an endless address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    "an endless header": (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "headers without end": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "a length below nothing": (POST + b"Content-Length: -2\r\n\r\n{}", 400),
    "a length and chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
    "a coding of its own": (POST + b"Transfer-Encoding: own\r\n\r\n{}", 501),
    "an expectation": (POST + b"Expect: tea\r\nContent-Length: 2\r\n\r\n{}", 417),
    "a chunk of no size": (CHUNKED + b"ZZ\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk below nothing": (CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk without its end": (CHUNKED + b"2\r\n{}XX0\r\n\r\n", 400),
    "a body cut off": (POST + b"Content-Length: 10\r\n\r\n{}", 408),
    "chunks cut off": (CHUNKED + b"2\r\n{", 408),
}


@pytest.mark.parametrize("flaw", NO_REQUESTS)
def test_what_is_no_request_is_refused_in_the_one_shape(address: str, flaw: str) -> None:
    raw, status = NO_REQUESTS[flaw]
    client = connected(address, raw)
    client.shutdown(1)
    answered, headers, body = heard(client)
    assert (answered, headers["content-type"], headers["connection"]) == (status, "application/json", "close")
    assert (set(body), body["statusCode"], body["code"]) == (SHAPE, status, "invalid_request")
    assert body["requestId"] == headers["x-request-id"]


def test_a_body_in_chunks_is_a_body(address: str) -> None:
    raw = CHUNKED.replace(b"Host: x", b"Host: x\r\nConnection: close\r\nExpect: 100-continue") + b"1\r\n{\r\n1\r\n}\r\n"
    client = connected(address, raw, b"0\r\n\r\n")
    assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    # Read as a whole: it comes as far as the database, which is not there.
    assert heard(client)[0] == 503


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_ends_the_connection(address: str, announced: bool) -> None:
    large = b" " * 1_000_000
    raw = POST + b"Content-Length: 1000000\r\n\r\n" if announced else CHUNKED + b"F4240\r\n"
    status, headers, body = heard(connected(address, raw + large))
    # Who is calling is the first question, and the database that knows it is not there.
    assert (status, set(body), headers["connection"]) == (503, SHAPE, "close")


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "Script-Name"])
@pytest.mark.parametrize("value", ["/health", "//elsewhere.example", "nonsense"])
def test_no_header_moves_the_application(address: str, name: str, value: str) -> None:
    http = urllib3.PoolManager(retries=False)
    assert http.request("GET", f"http://{address}/health/live", headers={name: value}).status == 200
    sent_on = http.request("GET", f"http://{address}/", headers={name: value}, redirect=False)
    assert (sent_on.status, sent_on.headers["Location"]) == (302, "/docs")


def test_who_does_not_close_keeps_nobody_waiting(address: str) -> None:
    request = b"GET /health/live HTTP/1.0\r\n\r\n"
    clients = [connected(address, request) for _ in range(8)]
    assert heard(connected(address, request, timeout=2))[0] == 200
    for client in clients:
        client.close()
