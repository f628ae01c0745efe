"""Gunicorn's threads, which no client keeps busy by being slow, and which refuse in the API's own words."""

from __future__ import annotations

import selectors
import socket
from concurrent.futures import Future
from functools import partial
from time import monotonic
from typing import Any

import structlog
from gunicorn import util
from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

from api.counting import count_unread
from api.framing import read_whole, refusal_of
from api.requests import request_id_of

log = structlog.get_logger("api.gunicorn_worker")

READ_SECONDS = 10.0  # from its first byte, or from its turn on a kept connection, to the last byte of its body
ANSWER_SECONDS = 30.0  # two statements' worst, a preference's wait, and the way to the client
LINGER_SECONDS = 2.0


class Worker(ThreadWorker):
    """Threads for requests that are there: who is slow to send one, or to take its answer, is cut off."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By connection: until when, and what is shut down then.
        self._deadlines: dict[TConn, tuple[float, int]] = {}
        self._lingering: set[TConn] = set()

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to the threads, once it has begun to say something."""
        if conn.initialized or conn.data_ready:
            self._deadlines[conn] = (monotonic() + READ_SECONDS, socket.SHUT_RD)
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: TConn) -> Any:
        """Answer one request of a connection, in a thread."""
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def handle_request(self, req: Request, conn: TConn) -> Any:
        """Read the whole body before the application begins: no transaction is open while it comes in."""
        read_whole(req, conn.sock)
        self._deadlines[conn] = (monotonic() + ANSWER_SECONDS, socket.SHUT_RDWR)
        return super().handle_request(req, conn)

    def handle_error(self, req: Request | None, client: socket.socket, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Refuse what is no HTTP, or is too much of it, in the shape of every other error."""
        request_id = request_id_of(dict(req.headers if req else ()).get("X-REQUEST-ID"))
        status, answer = refusal_of(exc, request_id)
        count_unread(status)
        if status == 500:
            log.error("request failed", exc_info=exc, request_id=request_id)
        else:
            log.info("request refused", status=status, error=type(exc).__name__, request_id=request_id)
        try:
            util.write_nonblock(client, answer)
        except OSError as error:
            log.debug("refusal not sent", error=type(error).__name__, request_id=request_id)

    def murder_pending(self) -> None:
        """Besides: look at the clock for those who are slow. The main loop comes by at least once a second."""
        super().murder_pending()
        now = monotonic()
        for conn, (deadline, how) in list(self._deadlines.items()):
            # Whoever takes the deadline away decides: the thread that is done with it, or this clock.
            if deadline < now and self._deadlines.pop(conn, None) is not None:
                self._cut_off(conn, how)
        for conn in [conn for conn in self._lingering if conn.timeout < now]:
            self._end(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Take a connection back from its thread; the last answer must arrive before it is closed."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        # Gunicorn would wait for the client's end here, and nobody else would be accepted or answered meanwhile.
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError):
            self.nr_conns -= 1
            conn.close()
            return
        conn.timeout = monotonic() + LINGER_SECONDS
        self._lingering.add(conn)

    def _drain(self, conn: TConn, client: socket.socket) -> None:
        try:
            more = client.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            self._end(conn)

    def _end(self, conn: TConn) -> None:
        self._lingering.discard(conn)
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _cut_off(self, conn: TConn, how: int) -> None:
        # A thread that reads finds the end of what came; one that writes finds nobody. Neither waits any longer.
        log.info("slow client cut off", reading=how == socket.SHUT_RD)
        try:
            conn.sock.shutdown(how)
        except OSError as error:
            log.debug("connection gone", error=type(error).__name__)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        # Connections without a first byte must not delay the end either.
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
