"""A fair share of the senders: one endpoint that hangs never takes more than a bounded number of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol
from uuid import UUID

from workflows.events.outcomes import Postpone, Sent
from workflows.outside.send_webhook import WebhookMessage

PAUSE = timedelta(seconds=1)


class Sender(Protocol):
    """Whoever really sends."""

    def send(self, message: WebhookMessage) -> Sent: ...


class FairShare:
    """Lets at most `most` messages be on their way to one endpoint at a time; the others are put off, uncounted.

    Args:
        most: of this process's senders; the rest is there for everybody else.
    """

    def __init__(self, sender: Sender, most: int) -> None:
        self._sender = sender
        self._most = most
        self._lock = Lock()
        self._on_their_way: Counter[UUID] = Counter()

    def send(self, message: WebhookMessage) -> Sent:
        """Send the message, or put it off.

        Raises:
            Postpone: the endpoint has its share of the senders.
        """
        endpoint = message.endpoint_id
        with self._lock:
            if self._on_their_way[endpoint] >= self._most:
                raise Postpone(datetime.now(UTC) + PAUSE, "The endpoint has its share of the senders.")
            self._on_their_way[endpoint] += 1
        try:
            return self._sender.send(message)
        finally:
            with self._lock:
                self._on_their_way[endpoint] -= 1
                if not self._on_their_way[endpoint]:
                    del self._on_their_way[endpoint]
