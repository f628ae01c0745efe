"""Load generator: bare HTTP connections, clients in a closed loop or at a fixed rate, and what they saw.

It runs in its caller's own process, whose processor time no contender is charged with. The HTTP client is a socket and
little else: what the generator spends, both cores are missing for what is measured.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60


class UnexpectedAnswerError(Exception):
    """An answer with another status than was expected; the message quotes it."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A kept-alive HTTP/1.1 connection, opened at the first request and again when the server has closed it."""

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        address = urlsplit(url)
        self._address = (address.hostname or "127.0.0.1", address.port or 80)
        self._host = f"{self._address[0]}:{self._address[1]}"
        self._socket: socket.socket | None = None
        self._buffer = b""

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: object = None, *, expect: int = 0
    ) -> Answer:
        """Send a request and return its answer.

        Args:
            body: sent as JSON; None for no body.
            expect: the status that it must have; 0 for any.
        Raises:
            UnexpectedAnswerError: it has another one.
            OSError: the server cannot be reached, or closed the connection in the middle.
        """
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", *(f"{k}: {v}" for k, v in headers.items())]
        if body is not None:
            lines.append("Content-Type: application/json")
        if content or method != "GET":
            lines.append(f"Content-Length: {len(content)}")
        answer = self._exchange("\r\n".join([*lines, "", ""]).encode() + content)
        if expect and answer.status != expect:
            raise UnexpectedAnswerError(f"{method} {path} answered {answer.status}: {answer.body[:500]!r}")
        return answer

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer = None, b""

    def _exchange(self, request: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=self._timeout_seconds)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        head = self._until(b"\r\n\r\n").lower().split(b"\r\n")
        fields = dict(line.split(b":", 1) for line in head[1:] if b":" in line)
        if fields.get(b"transfer-encoding", b"").strip() == b"chunked":
            body = self._chunks()
        else:
            body = self._exactly(int(fields.get(b"content-length", b"0")))
        if fields.get(b"connection", b"").strip() == b"close":
            self.close()
        return Answer(int(head[0].split(b" ", 2)[1]), body)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._receive()
        part, _, self._buffer = self._buffer.partition(mark)
        return part

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        part, self._buffer = self._buffer[:size], self._buffer[size:]
        return part

    def _receive(self) -> None:
        assert self._socket is not None
        more = self._socket.recv(65536)
        if not more:
            self.close()
            raise ConnectionResetError("The server closed the connection in the middle of an answer.")
        self._buffer += more


@dataclass(frozen=True)
class Load:
    """The answers to a load.

    Attributes:
        began: on the monotonic clock.
        ended: when the last of it had its answer.
        latencies: seconds, sorted.
    """

    began: float
    ended: float
    latencies: Sequence[float]

    @property
    def count(self) -> int:
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        return self.count / (self.ended - self.began) if self.count else 0.0

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many percent stay within, in milliseconds (nearest rank)."""
        return percentile(self.latencies, percent) * 1000


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of sorted values; NaN of none."""
    if not values:
        return float("nan")
    rank = -(-len(values) * percent // 100)
    return values[max(0, int(rank) - 1)]


def closed_loop(
    url: str, clients: int, work: Callable[[Connection], object], *, seconds: float = float("inf"), count: int = 0
) -> Load:
    """Let so many clients, each with a connection of its own, do one piece of work after the other.

    Args:
        work: one piece; StopIteration of it ends the client.
        seconds: none begins another piece after that.
        count: how many pieces to do at most, all clients together; 0 for as many as there is time for.
    """
    remaining = iter(range(count)) if count else iter(int, 1)
    latencies: list[float] = []
    began = time.monotonic()
    end = began + seconds

    def client(_number: int) -> None:
        connection = Connection(url)
        try:
            while time.monotonic() < end and next(remaining, None) is not None:
                start = time.perf_counter()
                try:
                    work(connection)
                except StopIteration:
                    break
                latencies.append(time.perf_counter() - start)
        finally:
            connection.close()

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(client, range(clients)))
    return Load(began, time.monotonic(), sorted(latencies))


def fixed_rate(url: str, per_second: float, count: int, work: Callable[[Connection], object]) -> Load:
    """Begin a piece of work at every tick, however long the earlier ones take, from a pool of connections."""
    idle: list[Connection] = []
    latencies: list[float] = []
    began = time.monotonic()

    def piece() -> None:
        connection = idle.pop() if idle else Connection(url)
        start = time.perf_counter()
        work(connection)
        latencies.append(time.perf_counter() - start)
        idle.append(connection)

    with ThreadPoolExecutor(32) as threads:
        pieces = []
        for number in range(count):
            threading.Event().wait(max(0.0, began + number / per_second - time.monotonic()))
            pieces.append(threads.submit(piece))
        for each in pieces:
            each.result()
    for connection in idle:
        connection.close()
    return Load(began, time.monotonic(), sorted(latencies))
