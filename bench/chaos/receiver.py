"""A webhook receiver that keeps which messages came, and whether each came with one and the same content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Inbox:
    """What has arrived.

    Args:
        bodies: the contents that have come, by `webhook-id`, one for each time.
    """

    url: str = ""
    bodies: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


@contextmanager
def running_inbox() -> Iterator[Inbox]:
    """A receiver in threads of this process, for the time of the block."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            size_bytes = int(self.headers["content-length"])
            body = self.rfile.read(size_bytes)
            if len(body) < size_bytes:
                # The sender was killed between a request's headers and its end: no receiver takes that for a message.
                self.close_connection = True
                return
            inbox.bodies[self.headers["webhook-id"]].append(hash(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A sender that is killed resets its connections: that is what this is about."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    inbox.url = f"http://127.0.0.1:{server.server_address[1]}/in"
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
