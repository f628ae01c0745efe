"""A fair share of the senders: endpoints that hang never take more than a bounded number of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Protocol

from workers.transports.lanes import PROMPT_SECONDS, Lanes, Pace, Shares
from workflows.events.outcomes import Postpone, Sent
from workflows.outside.send_webhook import WebhookMessage

LONGEST_PAUSE = 2.0  # seconds


class Sender(Protocol):
    """Whoever really sends."""

    def send(self, message: WebhookMessage) -> Sent: ...


class FairShare:
    """Bounds how many messages are on their way, to one endpoint and to all slow ones; others are put off, uncounted.

    Args:
        shares: who may have how many senders.
        clock: seconds, steadily.
    """

    def __init__(self, sender: Sender, shares: Shares, clock: Callable[[], float] = monotonic) -> None:
        self._sender = sender
        self._clock = clock
        self._lock = Lock()
        self._lanes = Lanes(shares)

    def send(self, message: WebhookMessage) -> Sent:
        """Send the message, or put it off.

        Raises:
            Postpone: there is no sender for this endpoint now.
        """
        endpoint = message.endpoint_id
        with self._lock:
            began = self._clock()
            entered = self._lanes.enter(endpoint, began)
        if entered is None:
            # Not all of them at the same moment again.
            pause = timedelta(seconds=random.uniform(LONGEST_PAUSE / 4, LONGEST_PAUSE))
            raise Postpone(datetime.now(UTC) + pause, "The endpoint has its share of the senders.")
        taken = False
        try:
            sent = self._sender.send(message)
            taken = sent.error is None
            return sent
        finally:
            with self._lock:
                now = self._clock()
                self._lanes.leave(endpoint, entered, now, _pace(now - began, taken=taken))


def _pace(seconds: float, *, taken: bool) -> Pace:
    if seconds >= PROMPT_SECONDS:
        return Pace.SLOW
    return Pace.PROMPT if taken else Pace.UNKNOWN
