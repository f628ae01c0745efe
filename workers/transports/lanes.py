"""Which endpoint may have a sender: those that answer promptly nearly always, those that do not a bounded number."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

PROMPT_SECONDS = 1.0


class Pace(Enum):
    """What is known of an endpoint by its last answer."""

    UNKNOWN = auto()  # none yet, or a failure that came at once
    PROMPT = auto()  # taken within a second
    SLOW = auto()  # longer than that, whatever came of it


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How many messages may be on their way at a time.

    Args:
        senders: in all.
        many: to one prompt endpoint.
        few: to any other one.
        slow: to all slow ones together, so that those that hang again and again leave room for the others.
        reserve: how many senders are left to endpoints that have nothing on their way and are not slow: whichever begin
            to hang at the same moment, all with many messages, the others are told.
    """

    senders: int
    many: int
    few: int
    slow: int
    reserve: int

    @classmethod
    def of(cls, senders: int) -> Shares:
        """The usual shares of so many senders."""
        quarter = max(1, senders // 4)
        return cls(
            senders=senders,
            many=max(1, senders - quarter),
            few=max(1, senders // 8),
            slow=quarter,
            reserve=quarter,
        )


@dataclass
class _Endpoint:
    pace: Pace = Pace.UNKNOWN
    on_their_way: int = 0
    # The last sign of life, or since when it has been asked for one.
    lively: float = 0.0

    def pace_at(self, now: float) -> Pace:
        """By its last answer, or by how long one has been awaited."""
        hangs = self.on_their_way > 0 and now - self.lively > PROMPT_SECONDS
        return Pace.SLOW if hangs else self.pace


@dataclass
class Lanes:
    """Counts who is on the way. Not for several threads at once.

    Args:
        shares: how many may be.
    """

    shares: Shares
    _endpoints: dict[UUID, _Endpoint] = field(default_factory=dict)
    _on_their_way: int = 0
    _slow: int = 0

    def enter(self, endpoint_id: UUID, now: float) -> Pace | None:
        """Let a message to the endpoint go, and return the pace by which it went; None when there is no room for it.

        Args:
            now: seconds by some steady clock.
        """
        endpoint = self._endpoints.get(endpoint_id) or _Endpoint()
        pace = endpoint.pace_at(now)
        if not self._has_room(endpoint, pace):
            return None
        self._endpoints[endpoint_id] = endpoint
        if not endpoint.on_their_way:
            endpoint.lively = now
        endpoint.on_their_way += 1
        self._on_their_way += 1
        self._slow += pace is Pace.SLOW
        return pace

    def flows(self, endpoint_id: UUID, now: float) -> bool:
        """Whether messages to the endpoint arrive one after the other, so that in a moment the next may go."""
        endpoint = self._endpoints.get(endpoint_id) or _Endpoint()
        return endpoint.on_their_way > 0 and endpoint.pace_at(now) is Pace.PROMPT

    def leave(self, endpoint_id: UUID, entered: Pace, now: float, found: Pace) -> None:
        """A message has come to its end.

        Args:
            entered: the pace by which it went.
            found: what its answer says.
        """
        endpoint = self._endpoints[endpoint_id]
        endpoint.pace, endpoint.lively = found, now
        endpoint.on_their_way -= 1
        self._on_their_way -= 1
        self._slow -= entered is Pace.SLOW
        if found is Pace.UNKNOWN and not endpoint.on_their_way:
            del self._endpoints[endpoint_id]

    def _has_room(self, endpoint: _Endpoint, pace: Pace) -> bool:
        shares = self.shares
        if not endpoint.on_their_way and pace is not Pace.SLOW:
            return True
        if shares.senders - self._on_their_way <= shares.reserve:
            return False
        if pace is Pace.SLOW and self._slow >= shares.slow:
            return False
        return endpoint.on_their_way < (shares.many if pace is Pace.PROMPT else shares.few)
