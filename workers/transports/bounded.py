"""A bound on how many senders one way out takes, so that what waits for the outside never holds up the house."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Any

import structlog

from workers.transports.transport import Transport
from workflows.events.outcomes import Postpone, Sent

log = structlog.get_logger(__name__)

QUICK = 2.0  # seconds
# Whoever is waited for that long keeps no other from being tried: it may be the one message, or the one connection.
LONG = 30.0  # seconds
# While the share is taken, others come again soon.
CROWDED_SECONDS = 2.0
# While a server is away it is asked again after 2 s, and then after twice as long each time.
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 30.0
# Whatever could not be handed over for so long is tried by its own policy, so that it ends one day.
PATIENCE = timedelta(days=3)


class Bounded:
    """Lets so many messages be on their way at a time; the others are put off, uncounted.

    Args:
        many: as long as the last answer was quick, and never more.
        few: until then, besides those that have been for long.
    """

    def __init__(self, sender: Transport, *, few: int, many: int) -> None:
        self._sender = sender
        self._few = few
        self._many = many
        self._lock = Lock()
        self._on_their_way: list[float] = []
        self._quick = False

    def send(self, message: Any) -> Sent:
        """Send the message, or put it off.

        Raises:
            Postpone: this way out has its share of the senders.
        """
        began = self._enter()
        quick = False
        try:
            sent = self._sender.send(message)
            quick = sent.error is None and monotonic() - began < QUICK
            return sent
        finally:
            with self._lock:
                self._on_their_way.remove(began)
                self._quick = quick

    def _enter(self) -> float:
        with self._lock:
            now = monotonic()
            fresh = sum(now - began < LONG for began in self._on_their_way)
            if len(self._on_their_way) >= self._many or (fresh >= self._few and not self._quick):
                pause = _pause(now - min(self._on_their_way))
                raise Postpone(_in(pause), "As many as may be are on their way by this way already.")
            self._on_their_way.append(now)
        return now


class Sparing:
    """Spares a server that is away: nothing is sent for a while, and no attempt of anything is used up.

    Whatever else comes of a message is the message's own affair, and its policy goes by it.

    Args:
        name: of the server, for the log and for whoever reads why a message waits.
        shown: how the log tells it from its like; its name where there is but one.
        patience: the share of its age that a message waits for longer: what is old hardly matters a little later.
    """

    def __init__(self, sender: Transport, name: str, *, shown: str | None = None, patience: float = 0.0) -> None:
        self._sender = sender
        self._name = name
        self._shown = shown or name
        self._patience = patience
        self._lock = Lock()
        self._pause = 0.0
        self._open_until = 0.0
        self._error = ""

    def send(self, message: Any) -> Sent:
        """Send the message, or put it off.

        Args:
            message: tells by `written_at` since when it waits.

        Raises:
            Postpone: the server is away.
        """
        left = self._open_until - monotonic()
        if left > 0:
            raise self._put_off(left, self._error, message)
        sent = self._sender.send(message)
        if not sent.away:
            self._pause = 0.0
            return sent
        pause = self._spare(sent)
        if datetime.now(UTC) - message.written_at > PATIENCE:
            return sent
        raise self._put_off(pause, sent.error or "", message)

    def _put_off(self, seconds: float, error: str, message: Any) -> Postpone:
        age = datetime.now(UTC) - message.written_at
        # Not all of them in the first moment.
        until = max(seconds + random.uniform(0, FIRST_PAUSE), self._patience * age.total_seconds())
        return Postpone(_in(until), f"The {self._name} is away: {error}", away=True)

    def _spare(self, sent: Sent) -> float:
        wish = (sent.retry_after or timedelta()).total_seconds()
        with self._lock:
            # Those who failed together failed once.
            if self._open_until <= monotonic():
                self._pause = min(2 * self._pause or FIRST_PAUSE, LONGEST_PAUSE)
                pause = max(self._pause, wish)
                self._open_until = monotonic() + pause
                self._error = sent.error or ""
                log.warning("server.away", server=self._shown, error=sent.error, pause_seconds=pause)
            self._open_until = max(self._open_until, monotonic() + wish)
            return max(self._open_until - monotonic(), 0.0)


def _pause(waited: float) -> float:
    """How long to wait for room, where the oldest that takes it has been waited for so long."""
    longest = CROWDED_SECONDS if waited < LONG else min(waited / 4, LONGEST_PAUSE)
    return random.uniform(longest / 4, longest)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
