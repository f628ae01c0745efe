"""Receivers of webhooks and mails, well-behaved and otherwise, on real sockets of this machine."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import monotonic
from typing import Any, TypeVar

from standardwebhooks.webhooks import Webhook


@dataclass
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float  # when it had arrived, on the monotonic clock


@dataclass
class HttpReceiver:
    """A web server that keeps what it is sent and gives a configured answer."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def answer(self, request: Request) -> bytes:  # noqa: ARG002 - what is derived may look at it
        """The body of the answer to a request that was kept; the status and headers are taken after it."""
        return self.body

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """Every webhook, in the order of arrival.

        Raises:
            WebhookVerificationError: one was not signed with the secret.
        """
        return [dict(Webhook(secret).verify(each.body, each.headers)) for each in list(self.requests)]


Receiver = TypeVar("Receiver", bound=HttpReceiver)


@contextmanager
def http_receiver(host: str = "127.0.0.1") -> Iterator[HttpReceiver]:
    with serving(HttpReceiver(), host) as receiver:
        yield receiver


@contextmanager
def serving(receiver: Receiver, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """Have a receiver answer at a port of its own for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size_bytes = int(self.headers.get("content-length", 0))
            body = self.rfile.read(size_bytes)
            if len(body) < size_bytes:
                # The sender was killed between a request's headers and its end: no receiver takes that for a message.
                return
            named = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, named, body, monotonic())
            receiver.requests.append(request)
            answer = receiver.answer(request)
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            # A client that has read enough hangs up.
            with suppress(ConnectionError):
                self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_args: Any) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        # As many as may connect at once: the default of 5 drops connections of two workers, which try again after 1 s.
        request_queue_size = 128

        def handle_error(self, *_args: Any) -> None:
            """A sender that is killed resets its connections: nothing is wrong here."""

    with Server((host, 0), Handler) as server:
        receiver.url = f"http://{host}:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


Talk = Callable[[socket.socket, Event], None]


@contextmanager
def talker(talk: Talk) -> Iterator[int]:
    """A server that calls `talk` for each connection, with an event that is set when it stops; gives its port."""
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    connection, _address = server.accept()
                    with connection, suppress(OSError):
                        talk(connection, stop)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def dripping(beginning: bytes, drop: bytes, every: float = 0.02) -> Talk:
    """Send the beginning, and then drop after drop, for ever."""

    def talk(connection: socket.socket, stop: Event) -> None:
        connection.sendall(beginning)
        while not stop.wait(every):
            connection.sendall(drop)

    return talk


def silent(_connection: socket.socket, stop: Event) -> None:
    stop.wait()


def hanging_up(connection: socket.socket, _stop: Event) -> None:
    connection.recv(1)
