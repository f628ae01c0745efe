"""HTTP server: granian speaks HTTP through its RSGI interface, and a thread pool runs the WSGI application.

A request takes a thread once all of it is there and gives the thread back once all of its answer is made: a client that
is slow to send or slow to read costs a connection and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from io import BytesIO
from queue import SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from time import perf_counter
from typing import IO, TYPE_CHECKING

import structlog
from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

from api.http.client_addresses import client_address, counted_address
from api.http.draining import Drain
from api.http.headers import AnswerHeaders
from api.http.request_log import count, log_request, request_id_of
from api.refusals import CODE_OF_STATUS, SENTENCES, shape
from api.routes.declaration import LARGE_BODY_LIMIT_BYTES, UPLOAD_LIMIT_BYTES
from config.limits import NO_PROXIES, TrustedProxies

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = structlog.get_logger("api.server")

BEAT_SECONDS = 1.0
MEMORY_LIMIT_BYTES = 1024 * 1024  # of an answer; a longer one goes by way of a file
# granian opens that file by its name, right after it was handed over.
FILE_SECONDS = 10.0

# Below granian's own limits, beyond which it closes the connection with an empty answer.
TARGET_LIMIT_CHARACTERS = 8 * 1024
HEADERS_LIMIT_BYTES = 32 * 1024
MAX_HEADERS = 90

_SENTENCES = {
    **SENTENCES,
    503: "The server has no room for so long an answer at the moment; ask for less of it, or later.",
    400: "The body is not what the headers announce, or a header holds characters beyond ASCII.",
    429: "Too many connections of one address have a request under way; wait for some of the answers.",
}
# RFC 9112, 3.2: what may stand in Host, which is never empty here (RFC 9110, 4.2.1).
_HOST = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+;=]+(:[0-9]{0,5})?|\[[0-9A-Fa-fv:.]+\](:[0-9]{0,5})?")
HEALTH_PATHS = ("/health/live", "/health/ready")
UPLOAD_PATHS = ("/imports", "/api/imports")
# Of one process: it keeps each body whole until the answer, for any caller.
MAX_UPLOADS = 2
Fields = list[tuple[str, str]]
WorkQueue = SimpleQueue[tuple["WSGIEnvironment", HTTPProtocol, "asyncio.Future[None]", str | None]]


@dataclass(frozen=True)
class Limits:
    """Limits beyond which requests are refused, cut off or ended."""

    read_seconds: float = 10  # from the end of a request's headers to the end of its body
    upload_seconds: float = 120  # the same of an upload
    answer_bytes: int = 256 * 1024 * 1024  # of an answer that does not say its length beforehand
    hung_seconds: float = 30  # how long a worker process may answer nothing that is asked of it
    kill_seconds: int = 10  # from SIGTERM to SIGKILL for a worker process
    # How many connections of one client may have a request under way, from the end of its headers to its answer; 0 for
    # any number.
    connections_per_address: int = 0
    trusted_proxies: TrustedProxies = NO_PROXIES  # whose word about the client's address is taken


class _RequestRefused(Exception):
    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.message = message or _SENTENCES[status]


@dataclass(eq=False)
class Server:
    """The RSGI application of one worker process."""

    application: WSGIApplication  # called by the pool's threads
    _: KW_ONLY
    threads: int  # how many requests are answered at a time, beside requests of HEALTH_PATHS
    waits: Callable[[], bool]  # whether a thread waits for the database, where each wait has a deadline
    # Called once a second for as long as requests are being answered, or wait for the database.
    beat: Callable[[], None]
    close: Callable[[], None]  # called once, when granian has taken its last answer
    headers: AnswerHeaders  # of answers that are the server's own
    limits: Limits
    drain: Drain  # how the server ends

    def __post_init__(self) -> None:
        self._is_draining = False
        self._work: WorkQueue = SimpleQueue()
        # Each with a thread of its own: whatever keeps the others from answering, these answer.
        self._health: dict[str, WorkQueue] = {path: SimpleQueue() for path in HEALTH_PATHS}
        self._answered: deque[tuple[asyncio.Future[None], str | None, WorkQueue]] = deque()
        # Touched by the loop's thread alone.
        self._under_way: Counter[str] = Counter()
        self._uploads = 0
        self._pending = 0
        self._moved = True

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._report()
        for number in range(self.threads):
            # None that hangs keeps the process from ending.
            Thread(target=self._work_off, args=[self._work], name=f"request-{number}", daemon=True).start()
        for path, work in self._health.items():
            Thread(target=self._work_off, args=[work], name=path, daemon=True).start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._settle()
        loop.run_until_complete(asyncio.sleep(0))
        self.close()

    async def __call__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        is_upload = scope.method == "POST" and scope.path in UPLOAD_PATHS
        self._uploads += is_upload
        try:
            await self._serve(scope, protocol, is_upload=is_upload)
        finally:
            self._uploads -= is_upload

    async def _serve(self, scope: Scope, protocol: HTTPProtocol, *, is_upload: bool) -> None:
        began = perf_counter()
        self._settle()
        address = None
        try:
            environ = _environment_of(scope)
            work = self._health.get(environ["PATH_INFO"].removeprefix("/api"), self._work)
            address = self._enter(environ)
            if is_upload and self._uploads > MAX_UPLOADS:
                raise _RequestRefused(503, "Too many uploads are under way; try again in a moment.")
            await self._read_body(environ, protocol, is_upload=is_upload)
        except BaseException as error:
            self._leave(address)
            if not isinstance(error, _RequestRefused):
                raise
            sent_id, origin = scope.headers.get("x-request-id"), scope.headers.get("origin")
            self._refuse(protocol, error, began, scope.method, sent_id, origin)
            return
        answered = self._loop.create_future()
        self._pending += work is self._work
        work.put((environ, protocol, answered, address))
        await answered

    def _enter(self, environ: WSGIEnvironment) -> str | None:
        """Count a request of its client, and return the client's address; None where requests are not counted."""
        limit = self.limits.connections_per_address
        if not limit:
            return None
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        address = counted_address(client_address(environ["REMOTE_ADDR"], forwarded, self.limits.trusted_proxies))
        if self._under_way[address] >= limit:
            raise _RequestRefused(429)
        self._under_way[address] += 1
        return address

    def _leave(self, address: str | None) -> None:
        if address is not None:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]

    def _settle(self) -> None:
        # The answers have left already. Waking the loop for each of them, as an executor of the standard library does,
        # took 13% of the processor time of an empty request (granian 2.8.7, asyncio, Python 3.11).
        while self._answered:
            answered, address, work = self._answered.popleft()
            self._leave(address)
            if work is self._work:
                self._pending -= 1
                self._moved = True
            if not answered.done():
                answered.set_result(None)

    def _report(self) -> None:
        self._settle()
        # A loop that does not turn reports nothing; nor do threads that are all busy, and neither finish anything nor
        # wait for the database.
        if self._moved or self._pending < self.threads or self.waits():
            self._moved = False
            self.beat()
        if self.drain.has_begun and not self._is_draining:
            self._is_draining = True
            self.drain.refuse_connections()
        self._loop.call_later(BEAT_SECONDS, self._report)

    async def _read_body(self, environ: WSGIEnvironment, protocol: HTTPProtocol, *, is_upload: bool) -> None:
        length = environ.get("CONTENT_LENGTH")
        most = UPLOAD_LIMIT_BYTES if is_upload else LARGE_BODY_LIMIT_BYTES
        seconds = self.limits.upload_seconds if is_upload else self.limits.read_seconds
        if length is None and "HTTP_TRANSFER_ENCODING" not in environ:
            return
        if length is not None and int(length) > most:
            raise _RequestRefused(413)
        try:
            async with asyncio.timeout(seconds):
                body = await (protocol() if length is not None else _read_chunks(protocol, most))
        except TimeoutError:
            raise _RequestRefused(408) from None
        except ProtocolClosed:
            raise _RequestRefused(400) from None
        environ["wsgi.input"] = BytesIO(body)
        # However it came, it has a length now.
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)

    def _work_off(self, work: WorkQueue) -> None:
        while True:
            environ, protocol, answered, address = work.get()
            began, sent = perf_counter(), (environ["REQUEST_METHOD"], environ.get("HTTP_X_REQUEST_ID"))
            try:
                self._answer(environ, protocol)
            except _RequestRefused as refused:
                self._refuse(protocol, refused, began, *sent, environ.get("HTTP_ORIGIN"))
            except BaseException:
                log.exception("request failed")
                self._refuse(protocol, _RequestRefused(500), began, *sent, environ.get("HTTP_ORIGIN"))
            self._answered.append((answered, address, work))

    def _answer(self, environ: WSGIEnvironment, protocol: HTTPProtocol) -> None:
        status, fields, body = self._run(environ)
        if self._is_draining:
            fields.append(("Connection", "close"))
        if isinstance(body, bytes):
            protocol.response_bytes(status, fields, body)
            return
        fields.append(("Content-Length", str(body.tell())))
        protocol.response_file(status, fields, f"/dev/fd/{body.fileno()}")
        self._loop.call_soon_threadsafe(self._loop.call_later, FILE_SECONDS, body.close)

    def _run(self, environ: WSGIEnvironment) -> tuple[int, Fields, bytes | IO[bytes]]:
        status, fields = 0, Fields()

        def start_response(line: str, headers: Fields, _error: object = None) -> Callable[[bytes], object]:
            nonlocal status, fields
            status, fields = int(line[:3]), headers
            return _write

        chunks = self.application(environ, start_response)
        try:
            return status, fields, _collect(chunks, self.limits.answer_bytes)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _refuse(
        self,
        protocol: HTTPProtocol,
        refused: _RequestRefused,
        began: float,
        method: str,
        sent_id: str | None,
        origin: str | None,
    ) -> None:
        """Answer instead of the application, with the same shape, headers, count and log line."""
        request_id, code, took = request_id_of(sent_id), CODE_OF_STATUS[refused.status], perf_counter() - began
        count(method, None, refused.status, took, code)
        log_request(method, None, refused.status, took, code, request_id=request_id)
        body = shape(refused.status, code, refused.message, request_id)
        fields = [
            ("Connection", "close"),
            ("Content-Type", "application/json"),
            ("X-Request-Id", request_id),
            *([("Retry-After", "1")] if refused.status in (429, 503) else []),
            *self.headers.of_data(origin),
        ]
        protocol.response_bytes(refused.status, fields, json.dumps(body).encode())


def _environment_of(scope: Scope) -> WSGIEnvironment:
    """A request's head as WSGI has it (PEP 3333).

    Raises:
        _RequestRefused: it is too long, names no host or several, or cannot be read without loss.
    """
    if len(scope.path) + len(scope.query_string) > TARGET_LIMIT_CHARACTERS:
        raise _RequestRefused(414)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    headers, names, count, size = scope.headers, set(), 0, 0
    for name, value in headers.items():
        names.add(name)
        count += 1
        size += len(name) + len(value)
        key = _variable_of(name)
        if key in environ:
            environ[key] += f",{value}"
        elif key is not None:
            environ[key] = value
    # granian leaves out values that are not ASCII: an If-Match or Idempotency-Key would be lost without a word.
    if len(names) != len(headers.keys()):
        raise _RequestRefused(400)
    if size > HEADERS_LIMIT_BYTES or count > MAX_HEADERS:
        raise _RequestRefused(431)
    # Two of them were joined by a comma. Only HTTP/1.0 knows requests without one.
    host = environ.get("HTTP_HOST")
    if not _is_host(host) if host is not None else scope.http_version != "1":
        raise _RequestRefused(400, "The request must have one Host header, with a host and a port alone.")
    return environ


@lru_cache(maxsize=512)
def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None


@lru_cache(maxsize=512)
def _variable_of(header: str) -> str | None:
    # X_User_Id would have the same variable as X-User-Id, which a gateway removes or sets.
    if "_" in header:
        return None
    variable = header.upper().replace("-", "_")
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"


async def _read_chunks(protocol: HTTPProtocol, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size, ended = 0, False
    async for chunk in protocol:
        if ended:
            # granian's sign of the end is an empty chunk, and so is its sign of a chunk that was cut off or malformed.
            raise _RequestRefused(400)
        ended = not chunk
        chunks.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            raise _RequestRefused(413)
    return b"".join(chunks)


def _collect(chunks: Iterable[bytes], limit_bytes: int) -> bytes | IO[bytes]:
    """All of an answer: clients read at their own pace, and granian keeps whatever it is given until they have."""
    collected: list[bytes] = []
    file: IO[bytes] | None = None
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise _RequestRefused(400, "The answer would be too large; ask for less of it, or for pages.")
        try:
            if file is None and size > MEMORY_LIMIT_BYTES:
                file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed once granian has opened it
                _write_whole(file, b"".join(collected))
            if file is None:
                collected.append(chunk)
            else:
                _write_whole(file, chunk)
        except OSError as error:
            log.warning("no room for an answer", error=str(error))
            raise _RequestRefused(503) from error
    return b"".join(collected) if file is None else file


def _write_whole(file: IO[bytes], data: bytes) -> None:
    # Without a buffer, whose rest would fail again when the file is closed.
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _write(_data: bytes) -> object:
    raise NotImplementedError("An application returns its answer; it does not write it.")
