"""Bulkhead and circuit breaker: few sends at a time to a slow destination, none while it is unavailable."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from threading import Condition, Lock
from time import monotonic
from typing import Generic, TypeVar

import structlog

from workers.transports import Renew, Transport, no_lease
from workflows.events.delivery import Postpone, SendResult

log = structlog.get_logger(__name__)

M = TypeVar("M")

PROMPT_SECONDS = 1.0
# A send that takes longer blocks no further tries: the cause may be that one message or connection.
HANGING_SECONDS = 30.0
# A message without room waits here for a moment, and is then postponed for so long.
MAX_NO_ROOM_PAUSE_SECONDS = 2.0
ROOM_SECONDS = 0.25
# While a destination is unavailable it is tried again after 2 s, then after twice as long each time, up to 30 s.
MIN_PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 30.0
# A message that could not be sent for so long counts its attempts, so that it ends as a dead letter.
MAX_POSTPONED = timedelta(days=3)
# Users may name any number of push services: the least recently used is forgotten.
MAX_DESTINATIONS = 1000


class Speed(Enum):
    """Speed of a destination's last response."""

    UNKNOWN = auto()  # not yet, or with a failure at once
    PROMPT = auto()  # with success within a second
    SLOW = auto()  # later than that, in whatever way


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How many messages may be under way at a time."""

    senders: int  # in all
    many: int  # to one prompt destination
    few: int  # to any other one
    slow: int  # to all slow ones together, so that destinations that hang repeatedly leave room for the others
    # Kept free for destinations that have nothing under way and are not slow: they are served even if any number of
    # others begin to hang at the same moment.
    reserve: int

    @classmethod
    def of(cls, senders: int) -> Shares:
        quarter = max(1, senders // 4)
        few = max(1, senders // 8)
        return cls(senders=senders, many=max(1, senders - quarter), few=few, slow=quarter, reserve=quarter)

    @classmethod
    def of_few(cls, senders: int) -> Shares:
        """Shares of at least four senders among few destinations, each with much to read.

        A slow or not yet known destination has half of them, so that its messages are not sent one after another.
        """
        half, quarter = senders // 2, senders // 4
        return cls(senders=senders, many=senders - quarter, few=half, slow=half, reserve=quarter)

    @classmethod
    def of_one(cls, senders: int) -> Shares:
        """Shares of one destination: a quarter, or all the others while it is prompt.

        When it hangs, the quarter goes on trying whether it responds again.
        """
        few = max(1, senders // 4)
        return cls(senders=senders, many=max(1, senders - few), few=few, slow=few, reserve=0)


@dataclass(frozen=True, kw_only=True)
class Breaker(Generic[M]):
    """Settings of the circuit breakers of one transport."""

    name: str  # of a destination, for the log and the reason of a postponement
    age: Callable[[M], timedelta]  # for how long a message has waited, by the database's clock
    age_share: float = 0.0  # the share of its age by which a message is postponed at least
    # How many seconds it is open for at first, and then for twice as long each time.
    min_pause: float = MIN_PAUSE_SECONDS


@dataclass(eq=False)
class _Send:
    speed: Speed
    began: float


@dataclass(eq=False)
class _Destination:
    speed: Speed = Speed.UNKNOWN
    sends: set[_Send] = field(default_factory=set)
    # When it responded last, or since when a response is awaited.
    responded: float = 0.0
    # Of its circuit breaker: the last pause, until when it is open, and why.
    pause: float = 0.0
    open_until: float = 0.0
    error: str = ""

    def speed_at(self, now: float) -> Speed:
        """By its last response, or by how long one has been awaited."""
        return Speed.SLOW if self.sends and now - self.responded > PROMPT_SECONDS else self.speed


class Protected(Transport[M]):
    """Bulkhead and circuit breakers around a transport: a message without room, or with an open breaker, is postponed,
    and the attempt is not counted.

    Args:
        destination: the key of a message's destination.
        breaker: None where something else keeps messages from a destination that is unavailable.
        clock: seconds, monotonic.
        room_seconds: how long a message waits here for room.
    """

    def __init__(
        self,
        transport: Transport[M],
        shares: Shares,
        *,
        destination: Callable[[M], Hashable],
        breaker: Breaker[M] | None = None,
        clock: Callable[[], float] = monotonic,
        room_seconds: float = ROOM_SECONDS,
        max_destinations: int = MAX_DESTINATIONS,
    ) -> None:
        self._transport = transport
        self._shares = shares
        self._key_of = destination
        self._breaker = breaker
        self._clock = clock
        self._room_seconds = room_seconds
        self._max_destinations = max_destinations
        self._room = Condition(Lock())
        self._destinations: OrderedDict[Hashable, _Destination] = OrderedDict()
        self._sends: set[_Send] = set()
        self._waiting = 0

    def send(self, message: M, renew: Renew = no_lease) -> SendResult:
        """Send the message. Raises Postpone: its destination is unavailable, or has its share of the senders."""
        key = self._key_of(message)
        with self._room:
            destination = self._known(key)
            if self._breaker is not None and destination.open_until > self._clock():
                raise self._unavailable(self._breaker, destination, message)
            send = self._acquire(destination)
        sent: SendResult | None = None
        try:
            sent = self._transport.send(message, renew)
        finally:
            self._release(destination, send, sent)
        if self._breaker is None:
            return sent
        if not sent.unavailable:
            destination.pause = 0.0
            return sent
        with self._room:
            self._open(self._breaker, key, destination, sent)
            if self._breaker.age(message) > MAX_POSTPONED:
                return sent
            raise self._unavailable(self._breaker, destination, message)

    def close(self) -> None:
        self._transport.close()

    def _known(self, key: Hashable) -> _Destination:
        destination = self._destinations.get(key)
        if destination is not None:
            self._destinations.move_to_end(key)
            return destination
        destination = self._destinations[key] = _Destination()
        if len(self._destinations) > self._max_destinations:
            del self._destinations[next(known for known, each in self._destinations.items() if not each.sends)]
        return destination

    def _acquire(self, destination: _Destination) -> _Send:
        """Take a slot, at once or when another message has been sent in a moment; raises Postpone without room."""
        # Those that wait go first, unless the destination has nothing under way.
        waits = self._waiting > 0 and self._is_flowing(destination)
        until = monotonic() + self._room_seconds
        self._waiting += 1
        try:
            while waits or not self._has_room(destination):
                left = until - monotonic()
                if left <= 0 or not self._is_flowing(destination):
                    raise self._no_room(destination)
                waits = not self._room.wait(left)
        except Postpone:
            # The notification may have been for this one, which does not go.
            self._room.notify()
            raise
        finally:
            self._waiting -= 1
        now = self._clock()
        send = _Send(destination.speed_at(now), now)
        if not destination.sends:
            destination.responded = now
        destination.sends.add(send)
        self._sends.add(send)
        return send

    def _release(self, destination: _Destination, send: _Send, sent: SendResult | None) -> None:
        with self._room:
            now = self._clock()
            if now - send.began >= PROMPT_SECONDS:
                destination.speed = Speed.SLOW
            else:
                destination.speed = Speed.PROMPT if sent is not None and sent.error is None else Speed.UNKNOWN
            destination.responded = now
            destination.sends.discard(send)
            self._sends.discard(send)
            self._room.notify()

    def _is_flowing(self, destination: _Destination) -> bool:
        """Whether messages are sent one after the other, so that the next may go in a moment."""
        return bool(destination.sends) and destination.speed_at(self._clock()) is Speed.PROMPT

    def _has_room(self, destination: _Destination) -> bool:
        shares, now = self._shares, self._clock()
        speed = destination.speed_at(now)
        if len(self._sends) >= shares.senders:
            return False
        if not destination.sends and speed is not Speed.SLOW:
            return True
        if shares.senders - len(self._sends) <= shares.reserve:
            return False
        if speed is Speed.PROMPT:
            # Those that hang while others are responded to block none of them.
            flowing = [send for send in destination.sends if destination.responded - send.began <= PROMPT_SECONDS]
            return len(flowing) < shares.many
        if speed is Speed.SLOW:
            if sum(send.speed is Speed.SLOW for send in _fresh(self._sends, now)) >= shares.slow:
                return False
            if all(send.speed is Speed.PROMPT for send in destination.sends):
                # The first since it hangs, however many hang.
                return True
        return len(_fresh(destination.sends, now)) < shares.few

    def _no_room(self, destination: _Destination) -> Postpone:
        waited = self._clock() - min((send.began for send in destination.sends or self._sends), default=0.0)
        longest = MAX_NO_ROOM_PAUSE_SECONDS if waited < HANGING_SECONDS else min(waited / 4, MAX_PAUSE_SECONDS)
        # With jitter, so that they do not all come back at the same moment.
        pause = timedelta(seconds=random.uniform(longest / 4, longest))
        return Postpone(pause, "As many messages as allowed are already being sent to its destination.")

    def _open(self, breaker: Breaker[M], key: Hashable, destination: _Destination, sent: SendResult) -> None:
        now, retry_after = self._clock(), (sent.retry_after or timedelta()).total_seconds()
        # Failures of the same moment are counted once.
        if destination.open_until <= now:
            destination.pause = min(2 * destination.pause or breaker.min_pause, MAX_PAUSE_SECONDS)
            destination.open_until = now + max(destination.pause, retry_after)
            destination.error = sent.error or ""
            pause = destination.open_until - now
            log.warning(
                "server.unavailable", server=f"{breaker.name} {key}".strip(), error=sent.error, pause_seconds=pause
            )
        destination.open_until = max(destination.open_until, now + retry_after)

    def _unavailable(self, breaker: Breaker[M], destination: _Destination, message: M) -> Postpone:
        # With jitter, so that they do not all come in the first moment.
        seconds = max(destination.open_until - self._clock(), 0.0) + random.uniform(0, breaker.min_pause)
        seconds = max(seconds, breaker.age_share * breaker.age(message).total_seconds())
        reason = f"The {breaker.name} is unavailable: {destination.error}"
        return Postpone(timedelta(seconds=seconds), reason, shown=True)


def _fresh(sends: set[_Send], now: float) -> list[_Send]:
    return [send for send in sends if now - send.began < HANGING_SECONDS]
