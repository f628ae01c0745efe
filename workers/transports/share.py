"""A fair share of the senders: endpoints that hang never take more than a bounded number of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Condition, Lock
from time import monotonic
from uuid import UUID

from workers.transports.lanes import PROMPT_SECONDS, Lanes, Pace, Shares
from workers.transports.transport import Transport
from workflows.events.outcomes import Postpone, Sent
from workflows.outside.send_webhook import WebhookMessage

LONGEST_PAUSE = 2.0  # seconds
# While all goes well somebody arrives sooner, and whoever waits is the next to go, leased and prepared.
MOMENT = 0.25  # seconds


class FairShare:
    """Bounds how many messages are on their way, to one endpoint and to all slow ones; others are put off, uncounted.

    Args:
        shares: who may have how many senders.
        clock: seconds, steadily.
    """

    def __init__(self, sender: Transport, shares: Shares, clock: Callable[[], float] = monotonic) -> None:
        self._sender = sender
        self._clock = clock
        self._room = Condition(Lock())
        self._lanes = Lanes(shares)
        self._waiting = 0

    def send(self, message: WebhookMessage) -> Sent:
        """Send the message, or put it off.

        Raises:
            Postpone: there is no sender for this endpoint now.
        """
        endpoint = message.endpoint_id
        entered = self._enter(endpoint)
        if entered is None:
            # Not all of them at the same moment again.
            pause = timedelta(seconds=random.uniform(LONGEST_PAUSE / 4, LONGEST_PAUSE))
            raise Postpone(datetime.now(UTC) + pause, "The endpoint has its share of the senders.")
        began, taken = self._clock(), False
        try:
            sent = self._sender.send(message)
            taken = sent.error is None
            return sent
        finally:
            with self._room:
                now = self._clock()
                self._lanes.leave(endpoint, entered, now, _pace(now - began, taken=taken))
                self._room.notify()

    def _enter(self, endpoint: UUID) -> Pace | None:
        """Let a message go, at once or when others have arrived in a moment; None when it is to be put off."""
        until = monotonic() + MOMENT
        with self._room:
            # Whoever waits goes first; who has nothing on its way waits for nobody.
            stays = self._waiting > 0 and self._lanes.flows(endpoint, self._clock())
            entered = None if stays else self._lanes.enter(endpoint, self._clock())
            self._waiting += 1
            while (
                entered is None and self._lanes.flows(endpoint, self._clock()) and self._room.wait(until - monotonic())
            ):
                entered = self._lanes.enter(endpoint, self._clock())
            self._waiting -= 1
            if entered is None:
                # It may have been called, and has not gone.
                self._room.notify()
        return entered


def _pace(seconds: float, *, taken: bool) -> Pace:
    if seconds >= PROMPT_SECONDS:
        return Pace.SLOW
    return Pace.PROMPT if taken else Pace.UNKNOWN
