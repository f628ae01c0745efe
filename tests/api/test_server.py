"""HTTP as the running server speaks it: what is refused, in which shape, and what reaches the application."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import urllib3

from api.http.headers import CLOSED_POLICY
from tests.api.running import LIMITS
from tests.api.served import Served, heard, serving
from tests.eventually import eventually

# Of each request; a refusal has its code, and a known caller an actor.
LINE = {"event", "level", "logger", "timestamp", "process", "request_id"} | {"method", "route", "status", "duration_ms"}
SHAPE = {"statusCode", "error", "message", "code", "requestId"}
POST = b"POST /testing/echo HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
# Of one address, those that may have a request under way.
CONNECTIONS = 20
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    variables = {"API_WORKERS": "1", "CONNECTIONS_PER_ADDRESS": str(CONNECTIONS), "TRUSTED_PROXIES": "1"}
    with serving(tmp_path_factory.mktemp("server"), NO_DATABASE, **variables) as server:
        yield server


# The sent bytes → the status, and the code where the answer is ours; granian refuses bytes that are no HTTP.
REFUSED: dict[str, tuple[bytes, int, str | None]] = {
    "no request line": (b"hello\r\n\r\n", 400, None),
    "no version": (b"GET /me HTTP/9.9\r\n\r\n", 400, None),
    "a header without a name": (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400, None),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, None),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400, None),
    "an endless address": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414, None),
    "headers without end": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431, None),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, None),
    "a length below nothing": (POST + b"Content-Length: -2\r\n\r\n{}", 400, None),
    "a coding of its own": (POST + b"Transfer-Encoding: own\r\n\r\n{}", 400, None),
    "a header beyond ASCII": (POST + b"If-Match: \xc3\xa9\r\n\r\n", 400, "invalid_request"),
    "a chunk of no size": (CHUNKED + b"ZZ\r\n{}\r\n0\r\n\r\n", 400, "invalid_request"),
    "a chunk below nothing": (CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n", 400, "invalid_request"),
    "a chunk without its end": (CHUNKED + b"2\r\n{}XX0\r\n\r\n", 400, "invalid_request"),
    "no host": (b"GET /health/live HTTP/1.1\r\n\r\n", 400, "invalid_request"),
    "an empty host": (b"GET /health/live HTTP/1.1\r\nHost:\r\n\r\n", 400, "invalid_request"),
    "two hosts": (b"GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "invalid_request"),
    "a host that is none": (b"GET /health/live HTTP/1.1\r\nHost: x/y\r\n\r\n", 400, "invalid_request"),
    "a long address": (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
    "a long query": (b"GET /me?" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
    "many headers": (b"GET /me HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 95 + b"\r\n", 431, "headers_too_large"),
    "large headers": (b"GET /me HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", 431, "headers_too_large"),
    "a body that is too large": (POST + b"Content-Length: 300000\r\n\r\n{}", 413, "too_large"),
    "chunks that are too large": (CHUNKED + b"493E0\r\n" + b" " * 300_000, 413, "too_large"),
}


@pytest.mark.parametrize("flaw", REFUSED)
def test_flawed_requests_are_refused(served: Served, flaw: str) -> None:
    raw, status, code = REFUSED[flaw]
    answered, headers, body = heard(served.connected(raw))
    assert (answered, headers["connection"]) == (status, "close")
    if code is not None:
        assert (set(body), body["statusCode"], body["code"]) == (SHAPE, status, code)
        assert body["requestId"] == headers["x-request-id"]


CUT_OFF = {
    "a body": POST + b"Content-Length: 10\r\n\r\n{}",
    "a body that never began": POST + b"Content-Length: 10\r\n\r\n",
    "a chunk": CHUNKED + b"5\r\n{",
    "chunks without an end": CHUNKED + b"2\r\n{}\r\n",
}


@pytest.mark.parametrize("kind", CUT_OFF)
def test_bodies_that_are_cut_off_never_reach_the_application(served: Served, kind: str) -> None:
    name = f"cut-off-{len(kind)}"
    client = served.connected(CUT_OFF[kind].replace(b"Host: x", b"Host: x\r\nX-Request-Id: " + name.encode()))
    client.shutdown(socket.SHUT_WR)
    assert heard(client)[0] == 400
    (line,) = [line for line in served.logged() if line.get("request_id") == name]
    assert (line["event"], line["status"]) == ("request", 400)


def test_endless_headers_are_cut_off(served: Served) -> None:
    with suppress(OSError), served.connected(b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000_000) as client:
        assert client.recv(12) in (b"HTTP/1.1 431", b"")


@pytest.mark.parametrize("raw", [POST + b"Content-Length: 9\r\n\r\n{", CHUNKED + b"9\r\n{"])
def test_bodies_that_do_not_arrive_are_answered_408(served: Served, raw: bytes) -> None:
    status, headers, body = heard(served.connected(raw))
    assert (status, headers["connection"], body["code"]) == (408, "close", "request_timeout")
    assert set(body) == SHAPE


def test_refusals_keep_the_request_id(served: Served) -> None:
    raw = POST + b"X-Request-Id: from-a-test\r\nContent-Length: 300000\r\n\r\n"
    assert heard(served.connected(raw))[2]["requestId"] == "from-a-test"


@pytest.mark.parametrize(("length", "status"), [(b"300000", 413), (b"9", 408)])
def test_refusals_of_the_server_have_headers_and_a_line(served: Served, length: bytes, status: int) -> None:
    name = f"headers-{status}"
    raw = POST + b"Secret: Ada\r\nX-Request-Id: " + name.encode() + b"\r\nContent-Length: " + length + b"\r\n\r\n{"
    answered, headers, _ = heard(served.connected(raw))
    assert (answered, headers["content-security-policy"]) == (status, CLOSED_POLICY)
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    (line,) = [line for line in served.logged() if line.get("request_id") == name]
    assert set(line) == LINE | {"code"}
    assert (line["event"], line["method"], line["route"], line["status"]) == ("request", "POST", None, status)


CLOSE = b"Connection: close\r\n"
BODIES = {
    "of a length": POST + CLOSE + b"Content-Length: 2\r\n\r\n{}",
    "of the same length twice": POST + CLOSE + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "in chunks": POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", BODIES)
def test_whole_bodies_reach_the_application(served: Served, kind: str) -> None:
    status, _, body = heard(served.connected(BODIES[kind]))
    assert (status, body) == (200, b"{}")


def test_a_length_beside_chunks_smuggles_no_second_request(served: Served) -> None:
    chunks = b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    second = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    status, headers, body = heard(served.connected(POST + chunks + second))
    assert (status, headers["connection"], body) == (200, "close", b"{}")


def test_bodies_are_invited_by_100_continue(served: Served) -> None:
    client = served.connected(POST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"{}")
    assert heard(client)[2] == b"{}"


def test_other_expectations_are_ignored(served: Served) -> None:
    raw = POST + CLOSE + b"Expect: the-impossible\r\nContent-Length: 2\r\n\r\n{}"
    assert heard(served.connected(raw))[0] == 200


@pytest.mark.parametrize("host", [b"x", b"api.example:8000", b"127.0.0.1", b"[::1]:8000", b"xn--bcher-kva.example."])
def test_hosts_are_accepted(served: Served, host: bytes) -> None:
    assert heard(served.connected(b"GET /health/live HTTP/1.1\r\n%sHost: %s\r\n\r\n" % (CLOSE, host)))[0] == 200


def test_the_first_http_knew_no_host(served: Served) -> None:
    assert heard(served.connected(b"GET /health/live HTTP/1.0\r\n\r\n"))[0] == 200


def test_header_names_with_underscores_are_dropped(served: Served) -> None:
    raw = b"GET /testing/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s: 7\r\n\r\n"
    assert heard(served.connected(raw % b"X_User_Id"))[1]["seen-user"] == "none"
    assert heard(served.connected(raw % b"X-User-Id"))[1]["seen-user"] == "7"
    assert heard(served.connected(raw % b"X-User_Id: 8\r\nX-User-Id"))[1]["seen-user"] == "7"
    # Two of them are no identity that anybody could take for one of the two.
    assert heard(served.connected(raw % b"X-User-Id: 8\r\nX-User-Id"))[1]["seen-user"] == "8,7"


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "Script-Name"])
@pytest.mark.parametrize("value", ["/health", "//elsewhere.example", "nonsense"])
def test_no_header_moves_the_application(served: Served, name: str, value: str) -> None:
    http = urllib3.PoolManager(retries=False)
    assert http.request("GET", f"{served.url}/health/live", headers={name: value}).status == 200
    redirected = http.request("GET", f"{served.url}/", headers={name: value}, redirect=False)
    assert (redirected.status, redirected.headers["Location"]) == (302, "/docs")


def test_answers_without_a_body_have_none(served: Served) -> None:
    whole = served.get("/api/openapi.json", timeout=90)
    head = urllib3.request("HEAD", f"{served.url}/api/openapi.json")
    assert (head.status, head.data) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"] == str(len(whole.data))
    unknown = served.get("/api/no%20such%20address%FF")
    assert (unknown.status, unknown.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("size", [0, 1, 900_000, 3_000_000])
def test_streamed_answers_arrive_whole(served: Served, size: int) -> None:
    answer = served.get(f"/testing/stream/{size}")
    assert (answer.status, len(answer.data)) == (200, size)
    assert answer.headers["Content-Length"] == str(size)


def test_streamed_answers_are_bounded(served: Served) -> None:
    answer = served.get(f"/testing/stream/{LIMITS.answer_bytes + 1}")
    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")


def test_clients_that_leave_cost_no_thread(served: Served) -> None:
    for _ in range(8):
        served.connected(b"GET /testing/sleep/0.2 HTTP/1.1\r\nHost: x\r\n\r\n").close()
    for _ in range(8):
        assert served.get("/testing/sleep/0.0").status == 200


def test_connections_of_one_address_are_bounded(served: Served) -> None:
    def asked(address: str) -> tuple[int, str | None]:
        answer = served.get("/health/live", X_Forwarded_For=address)
        return answer.status, answer.headers.get("Retry-After")

    slow = POST + b"X-Forwarded-For: 1.1.1.1, 203.0.113.7\r\nContent-Length: 500\r\n\r\n{"

    def refused_alone() -> bool:
        # Each counts until it is cut off, which the first may be before the last has come.
        with ExitStack() as clients:
            for _ in range(CONNECTIONS):
                clients.enter_context(served.connected(slow))
            return asked("203.0.113.7") == (429, "1") and asked("203.0.113.8") == (200, None)

    eventually(refused_alone, "a refusal of that address alone")
    # Those who were cut off, or answered, count no longer.
    eventually(lambda: asked("203.0.113.7") == (200, None), "an answer")
    assert {asked("203.0.113.7") for _ in range(2 * CONNECTIONS)} == {(200, None)}


def test_every_request_is_one_log_line(served: Served) -> None:
    served.get("/health/live", X_Request_Id="one-line")
    (line,) = [line for line in served.logged() if line.get("request_id") == "one-line"]
    assert (line["event"], line["status"], line["route"], line["process"]) == ("request", 200, "/health/live", "api")
    assert set(line) == LINE
