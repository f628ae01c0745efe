"""Bulkhead and circuit breaker: few sends at a time to a destination that is slow, none while it is unavailable."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from threading import Condition, Lock
from time import monotonic
from typing import Generic, TypeVar

import structlog

from workers.transports.transport import Renew, Transport, no_lease
from workflows.events.delivery import Postpone, SendResult

log = structlog.get_logger(__name__)

M = TypeVar("M")

PROMPT_SECONDS = 1.0
# A send awaited for that long keeps no other from being tried: it may be the one message, or the one connection.
LONG_SECONDS = 30.0
# Where there is no room, others come again soon; sooner than that somebody may arrive, and what waits goes next.
CROWDED_SECONDS = 2.0
ROOM_SECONDS = 0.25
# While a destination is unavailable it is asked again after 2 s, then after twice as long each time, up to 30 s.
MIN_PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 30.0
# What could not be handed over for so long is tried by its own policy, so that it ends one day.
MAX_POSTPONED = timedelta(days=3)
# Anybody may name a push service: of those that nobody has sent to for longest nothing is known any more.
MAX_DESTINATIONS = 1000


class Pace(Enum):
    """What is known of a destination by its last answer."""

    UNKNOWN = auto()  # none yet, or a failure that came at once
    PROMPT = auto()  # taken within a second
    SLOW = auto()  # longer than that, whatever came of it


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How many messages may be under way at a time.

    Args:
        senders: in all.
        many: to one prompt destination.
        few: to any other one.
        slow: to all slow ones together, so that those that hang again and again leave room for the others.
        reserve: how many senders are left to destinations that have nothing under way and are not slow: whichever begin
            to hang at the same moment, all with many messages, the others are served.
    """

    senders: int
    many: int
    few: int
    slow: int
    reserve: int

    @classmethod
    def of(cls, senders: int) -> Shares:
        """The shares of so many senders among any number of destinations."""
        quarter = max(1, senders // 4)
        few = max(1, senders // 8)
        return cls(senders=senders, many=max(1, senders - quarter), few=few, slow=quarter, reserve=quarter)

    @classmethod
    def of_one(cls, senders: int) -> Shares:
        """The shares where there is one destination: all while it is prompt, and a quarter otherwise."""
        few = max(1, senders // 4)
        return cls(senders=senders, many=senders, few=few, slow=few, reserve=0)


@dataclass(frozen=True, kw_only=True)
class Breaker(Generic[M]):
    """What a circuit breaker goes by.

    Args:
        name: what a destination is called, for the log and for whoever reads why a message waits.
        written_at: since when a message waits.
        age_share: the share of its age that a message waits for longer: what is old hardly matters a little later.
        min_pause: how many seconds it is open for at first, and then for twice as long each time.
    """

    name: str
    written_at: Callable[[M], datetime]
    age_share: float = 0.0
    min_pause: float = MIN_PAUSE_SECONDS


@dataclass(eq=False)
class _Send:
    pace: Pace
    began: float


@dataclass(eq=False)
class _Destination:
    pace: Pace = Pace.UNKNOWN
    sends: set[_Send] = field(default_factory=set)
    # The last sign of life, or since when it has been asked for one.
    lively: float = 0.0
    # Of its circuit breaker: the last pause, until when it is open, and why.
    pause: float = 0.0
    open_until: float = 0.0
    error: str = ""

    def pace_at(self, now: float) -> Pace:
        """By its last answer, or by how long one has been awaited."""
        return Pace.SLOW if self.sends and now - self.lively > PROMPT_SECONDS else self.pace


class Protected(Transport[M]):
    """Sends by another transport, and postpones, uncounted, what finds no room or an open circuit breaker.

    Args:
        destination: whom a message goes to.
        breaker: None where something else keeps messages from a destination that is unavailable.
        clock: seconds, steadily.
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
        """Send the message.

        Raises:
            Postpone: its destination is unavailable, or has its share of the senders.
        """
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
            if datetime.now(UTC) - self._breaker.written_at(message) > MAX_POSTPONED:
                return sent
            raise self._unavailable(self._breaker, destination, message)

    def close(self) -> None:
        """Shut down the connections of the transport behind."""
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
        """Let a message go, at once or when others have arrived in a moment.

        Raises:
            Postpone: there is no room.
        """
        # What waits goes first; a destination with nothing under way waits for nobody.
        waits = self._waiting > 0 and self._flows(destination)
        until = monotonic() + self._room_seconds
        self._waiting += 1
        try:
            while waits or not self._has_room(destination):
                left = until - monotonic()
                if left <= 0 or not self._flows(destination):
                    raise self._crowded(destination)
                waits = not self._room.wait(left)
        except Postpone:
            # It may have been called, and has not gone.
            self._room.notify()
            raise
        finally:
            self._waiting -= 1
        now = self._clock()
        send = _Send(destination.pace_at(now), now)
        if not destination.sends:
            destination.lively = now
        destination.sends.add(send)
        self._sends.add(send)
        return send

    def _release(self, destination: _Destination, send: _Send, sent: SendResult | None) -> None:
        with self._room:
            now = self._clock()
            if now - send.began >= PROMPT_SECONDS:
                destination.pace = Pace.SLOW
            else:
                destination.pace = Pace.PROMPT if sent is not None and sent.error is None else Pace.UNKNOWN
            destination.lively = now
            destination.sends.discard(send)
            self._sends.discard(send)
            self._room.notify()

    def _flows(self, destination: _Destination) -> bool:
        """Whether messages arrive one after the other, so that in a moment the next may go."""
        return bool(destination.sends) and destination.pace_at(self._clock()) is Pace.PROMPT

    def _has_room(self, destination: _Destination) -> bool:
        shares, now = self._shares, self._clock()
        pace = destination.pace_at(now)
        if len(self._sends) >= shares.senders:
            return False
        if not destination.sends and pace is not Pace.SLOW:
            return True
        if shares.senders - len(self._sends) <= shares.reserve:
            return False
        if pace is Pace.PROMPT:
            return len(destination.sends) < shares.many
        if pace is Pace.SLOW and sum(s.pace is Pace.SLOW for s in _fresh(self._sends, now)) >= shares.slow:
            return False
        return len(_fresh(destination.sends, now)) < shares.few

    def _crowded(self, destination: _Destination) -> Postpone:
        waited = self._clock() - min((send.began for send in destination.sends or self._sends), default=0.0)
        longest = CROWDED_SECONDS if waited < LONG_SECONDS else min(waited / 4, MAX_PAUSE_SECONDS)
        # Not all of them at the same moment again.
        return Postpone(_in(random.uniform(longest / 4, longest)), "Its destination has its share of the senders.")

    def _open(self, breaker: Breaker[M], key: Hashable, destination: _Destination, sent: SendResult) -> None:
        now, retry_after = self._clock(), (sent.retry_after or timedelta()).total_seconds()
        # Those that failed together failed once.
        if destination.open_until <= now:
            destination.pause = min(2 * destination.pause or breaker.min_pause, MAX_PAUSE_SECONDS)
            destination.open_until = now + max(destination.pause, retry_after)
            destination.error = sent.error or ""
            pause = destination.open_until - now
            log.warning("server.away", server=f"{breaker.name} {key}".strip(), error=sent.error, pause_seconds=pause)
        destination.open_until = max(destination.open_until, now + retry_after)

    def _unavailable(self, breaker: Breaker[M], destination: _Destination, message: M) -> Postpone:
        # Not all of them in the first moment.
        seconds = max(destination.open_until - self._clock(), 0.0) + random.uniform(0, breaker.min_pause)
        age = datetime.now(UTC) - breaker.written_at(message)
        seconds = max(seconds, breaker.age_share * age.total_seconds())
        return Postpone(_in(seconds), f"The {breaker.name} is away: {destination.error}", unavailable=True)


def _fresh(sends: set[_Send], now: float) -> list[_Send]:
    return [send for send in sends if now - send.began < LONG_SECONDS]


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
