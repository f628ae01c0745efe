"""A partner: listens for webhooks, verifies each with the partner's own library, and keeps what was genuine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass
class Partner:
    """Where webhooks arrive.

    Args:
        url: their address.
        received: each message's headers, in lower case, and raw body.
    """

    url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """Every message, in the order of arrival.

        Raises:
            WebhookVerificationError: one was not signed with the secret.
        """
        return [dict(Webhook(secret).verify(body, headers)) for headers, body in list(self.received)]


@contextmanager
def running_receiver() -> Iterator[Partner]:
    """A partner who answers 204 for the time of a `with` block."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Take the message."""
            body = self.rfile.read(int(self.headers["content-length"]))
            partner.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    partner = Partner(f"http://127.0.0.1:{server.server_port}/hooks")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield partner
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
