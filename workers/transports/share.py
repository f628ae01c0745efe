"""A fair share of the senders: one endpoint that hangs never takes more than a bounded number of them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Protocol
from uuid import UUID

from workflows.events.outcomes import Postpone, Sent
from workflows.outside.send_webhook import WebhookMessage

QUICK = 1.0  # seconds
LONGEST_PAUSE = 2.0  # seconds


class Sender(Protocol):
    """Whoever really sends."""

    def send(self, message: WebhookMessage) -> Sent: ...


class FairShare:
    """Bounds how many messages are on their way to one endpoint at a time; the others are put off, uncounted.

    Args:
        few: for an endpoint that has yet to show that it answers within a second, or failed to the last time.
        many: for one whose last answer was quick; should it hang, the rest of the senders is there for the others.
    """

    def __init__(self, sender: Sender, *, few: int, many: int) -> None:
        self._sender = sender
        self._few = few
        self._many = many
        self._lock = Lock()
        self._on_their_way: Counter[UUID] = Counter()
        self._quick: set[UUID] = set()

    def send(self, message: WebhookMessage) -> Sent:
        """Send the message, or put it off.

        Raises:
            Postpone: the endpoint has its share of the senders.
        """
        endpoint = message.endpoint_id
        self._enter(endpoint)
        began = monotonic()
        quick = False
        try:
            sent = self._sender.send(message)
            quick = sent.error is None and monotonic() - began < QUICK
            return sent
        finally:
            self._leave(endpoint, quick=quick)

    def _enter(self, endpoint: UUID) -> None:
        with self._lock:
            most = self._many if endpoint in self._quick else self._few
            if self._on_their_way[endpoint] >= most:
                # Not all of them at the same moment again.
                pause = timedelta(seconds=random.uniform(LONGEST_PAUSE / 4, LONGEST_PAUSE))
                raise Postpone(datetime.now(UTC) + pause, "The endpoint has its share of the senders.")
            self._on_their_way[endpoint] += 1

    def _leave(self, endpoint: UUID, *, quick: bool) -> None:
        with self._lock:
            (self._quick.add if quick else self._quick.discard)(endpoint)
            self._on_their_way[endpoint] -= 1
            if not self._on_their_way[endpoint]:
                del self._on_their_way[endpoint]
