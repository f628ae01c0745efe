"""A real SMTP server that keeps the mails it gets, in a thread of this process."""

from __future__ import annotations

import asyncio
import email
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from time import monotonic

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


@dataclass(frozen=True)
class ReceivedMail:
    """One mail as it arrived; `at` is this process's monotonic clock, in seconds."""

    to: str
    subject: str
    message_id: str
    kinds: tuple[str, ...]
    at: float


class Mailbox:
    """What has arrived until now.

    Args:
        bell: set whenever something arrives.
    """

    def __init__(self, bell: threading.Event) -> None:
        self._bell = bell
        self._mails: list[ReceivedMail] = []
        self.url = ""

    def mails(self, *addresses: str) -> list[ReceivedMail]:
        """The mails to these addresses, in the order of their arrival."""
        return [mail for mail in self._mails[:] if mail.to in addresses]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a mail; called by the server, on its thread."""
        message = email.message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self._mails.extend(
            ReceivedMail(
                to=recipient,
                subject=str(message["Subject"]),
                message_id=str(message["Message-ID"]),
                kinds=tuple(part.get_content_type() for part in message.walk() if not part.is_multipart()),
                at=monotonic(),
            )
            for recipient in envelope.rcpt_tos
        )
        self._bell.set()
        return "250 Kept"


class _OnAnyPort(Controller):
    """A controller that may be given port 0, and knows its port once it listens."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def open_mailbox(bell: threading.Event) -> Iterator[Mailbox]:
    """Listen for the time of a `with` block; `url` is what SMTP_URL has to say."""
    mailbox = Mailbox(bell)
    # With a name given, nobody asks the resolver for one.
    controller = _OnAnyPort(mailbox, hostname=HOST, port=0, server_hostname="localhost")
    controller.start()
    try:
        mailbox.url = f"smtp://{HOST}:{controller.port}"
        yield mailbox
    finally:
        controller.stop()
