"""The demo's outside world: a mail server and a partner's webhook receiver, in threads of this process."""

import asyncio
import email
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any
from uuid import uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook, WebhookVerificationError

HOST = "127.0.0.1"
# The first ping may arrive before the secret.
SECRET_SECONDS = 10
SHUTDOWN_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ReceivedMail:
    """One mail as it arrived; `at` is this process's monotonic clock, in seconds."""

    to: str
    subject: str
    message_id: str
    kinds: tuple[str, ...]
    at: float


class Mailbox:
    """The messages that have arrived until now. `arrival`: set whenever something arrives."""

    def __init__(self, arrival: threading.Event) -> None:
        self._arrival = arrival
        self._mails: list[ReceivedMail] = []
        self.url = ""

    def mails(self, *addresses: str) -> list[ReceivedMail]:
        """The mails to these addresses, in the order of their arrival."""
        return [mail for mail in self._mails[:] if mail.to in addresses]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a mail; called by the server, on its thread."""
        message = email.message_from_bytes(envelope.original_content or b"", policy=policy.default)
        kinds = tuple(part.get_content_type() for part in message.walk() if not part.is_multipart())
        self._mails += [
            ReceivedMail(to, str(message["Subject"]), str(message["Message-ID"]), kinds, monotonic())
            for to in envelope.rcpt_tos
        ]
        self._arrival.set()
        return "250 Kept"


class _OnAnyPort(Controller):
    """A controller that may be given port 0, and knows its port once it listens."""

    # Meant to be overridden, by its documentation; it connects to the port that the controller was given.
    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def open_mailbox(arrival: threading.Event) -> Iterator[Mailbox]:
    """Listen for the time of a `with` block; `url` is for SMTP_URL."""
    mailbox = Mailbox(arrival)
    # With a name given, the resolver is not asked for one.
    controller = _OnAnyPort(mailbox, hostname=HOST, port=0, server_hostname="localhost")
    controller.start()
    try:
        mailbox.url = f"smtp://{HOST}:{controller.port}"
        yield mailbox
    finally:
        controller.stop()


@dataclass(frozen=True)
class ReceivedMessage:
    """One message whose signature has been verified; `at` is this process's monotonic clock, in seconds."""

    webhook_id: str
    content: dict[str, Any]
    at: float


class Receiver:
    """The messages that have arrived until now. `arrival`: set whenever something arrives."""

    def __init__(self, arrival: threading.Event) -> None:
        self._arrival = arrival
        self._secret = ""
        self._has_secret = threading.Event()
        self.messages: list[ReceivedMessage] = []
        # Reasons why messages could not be verified.
        self.refused: list[str] = []
        # A late message of another run for the same port is refused.
        self.path = f"/hooks/{uuid4().hex}"
        self.url = ""

    def trust(self, secret: str) -> None:
        """Verify messages with this secret from now on; earlier messages have waited for it."""
        self._secret = secret
        self._has_secret.set()

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """Verify one message and keep it; returns the status to answer with."""
        if path != self.path:
            return 404
        if not self._has_secret.wait(SECRET_SECONDS):
            return 503
        try:
            content = Webhook(self._secret).verify(body, headers)
        except (WebhookVerificationError, ValueError) as error:
            self.refused.append(str(error))
            return 401
        else:
            self.messages.append(ReceivedMessage(headers["webhook-id"], content, monotonic()))
            return 204
        finally:
            self._arrival.set()


@contextmanager
def open_receiver(arrival: threading.Event) -> Iterator[Receiver]:
    """Listen for the time of a `with` block; `url` is the address for a webhook endpoint."""
    receiver = Receiver(arrival)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(self.path, body, headers))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Log nothing: the demo shows each message."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        receiver.url = f"http://{HOST}:{server.server_address[1]}{receiver.path}"
        thread = threading.Thread(target=server.serve_forever, args=(SHUTDOWN_POLL_SECONDS,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
