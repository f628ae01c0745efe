"""Counters of rate limits: exact moving windows in Redis, shared by all processes, or in this process alone.

A request is counted in all of its windows by one script, in one round trip. `limits` and Flask-Limiter take one for
each window and one more for what is left of it: see docs/decisions/0014. As long as windows are less than half full,
several requests of a process are counted in one go.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from threading import Lock, local
from time import monotonic
from typing import Any, NamedTuple, Protocol

import structlog
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from config.limits import RateLimit
from config.servers import redis_client

log = structlog.get_logger(__name__)

LOOKUP_SECONDS = 0.05
# How long this process counts alone before Redis is asked again.
PAUSE_SECONDS = 5.0
MAX_LOCAL_KEYS = 10_000
# How many requests of one key a process may have let through that are not yet counted in Redis, and for how long. With
# a limit of less than 64, every request is counted at once.
MAX_UNCOUNTED = 16
LIMIT_PER_UNCOUNTED = 32
UNCOUNTED_SECONDS = 0.25

# The entries of a window are the times of its requests, the newest first: at first those that were let through before
# the present one. They are removed once a newer request comes
# by, all that have left the window at once: how many they are is searched for by halves.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found, refused = {}, false
for place, key in ipairs(KEYS) do
  local amount, window = tonumber(ARGV[3 * place - 2]), tonumber(ARGV[3 * place - 1])
  for _ = 1, ARGV[3 * place] do
    redis.call('LPUSH', key, now)
    redis.call('PEXPIRE', key, window)
  end
  local used = redis.call('LLEN', key)
  local oldest = used > 0 and tonumber(redis.call('LINDEX', key, -1))
  if oldest and oldest <= now - window then
    local low, high = 0, used - 1
    while low < high do
      local middle = math.floor((low + high) / 2)
      if tonumber(redis.call('LINDEX', key, middle)) <= now - window then high = middle else low = middle + 1 end
    end
    used = low
    if used > 0 then
      redis.call('LTRIM', key, 0, used - 1)
      oldest = tonumber(redis.call('LINDEX', key, -1))
    else
      redis.call('DEL', key)
      oldest = false
    end
  end
  refused = refused or used >= amount
  found[2 * place - 1] = used
  found[2 * place] = oldest and math.min(oldest + window - now, window) or window
end
if not refused then
  for place, key in ipairs(KEYS) do
    redis.call('LPUSH', key, now)
    redis.call('PEXPIRE', key, ARGV[3 * place - 1])
  end
end
return found
"""


class Count(NamedTuple):
    """A window before the present request."""

    used: int  # how many requests lie in it
    seconds: float  # until the oldest of them leaves it; the whole window where there is none


class Counter(Protocol):
    def count(self, windows: Sequence[tuple[str, RateLimit]], cost: int = 1) -> list[Count]:
        """Count one request in each window, or in none if one of them is full.

        Args:
            windows: keys and limits.
            cost: as how many requests it counts.
        """
        ...


class RedisCounter(Counter):
    """Counter in Redis, by the clock of Redis.

    Each thread keeps a connection and speaks on it directly: through redis-py's client, a call takes three times the
    processor time (redis-py 8.1: 60 µs, 22 µs without).

    Raises:
        RedisError: there was no answer within 50 ms, or none that is one.
    """

    def __init__(self, url: str, *, lookup_seconds: float = LOOKUP_SECONDS) -> None:
        self._pool: Any = redis_client(
            url,
            socket_timeout=lookup_seconds,
            socket_connect_timeout=lookup_seconds,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        ).connection_pool
        self._digest = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
        self._threads = local()

    def count(
        self, windows: Sequence[tuple[str, RateLimit]], cost: int = 1, uncounted: Sequence[int] | None = None
    ) -> list[Count]:
        """Count one request; of a cost of several, all but one also where a window is full.

        Args:
            uncounted: of each window, how many requests were let through before this one that are not counted yet.
        """
        keys = [f"tutelage:rate:{key}" for key, _limit in windows]
        numbers = [
            number
            for (_key, limit), before in zip(windows, uncounted or [0] * len(windows), strict=True)
            for number in (limit.amount, limit.seconds * 1000, before + cost - 1)
        ]
        try:
            found = self._call("EVALSHA", self._digest, len(keys), *keys, *numbers)
        except NoScriptError:
            found = self._call("EVAL", _SCRIPT, len(keys), *keys, *numbers)
        return [Count(used, left / 1000) for used, left in zip(found[::2], found[1::2], strict=True)]

    def _call(self, *command: str | int) -> list[int]:
        kept = getattr(self._threads, "connection", None)
        if kept is not None:
            try:
                return self._call_on(kept, command)
            except RedisTimeoutError:
                raise
            except RedisConnectionError:
                # It was closed while it was idle.
                self._threads.connection = None
        made = self._threads.connection = self._pool.make_connection()
        # Behind sentinels, the first command alone would not ask them where to.
        made.connect()
        return self._call_on(made, command)

    @staticmethod
    def _call_on(connection: Any, command: tuple[str | int, ...]) -> list[int]:
        try:
            connection.send_command(*command)
            found: list[int] = connection.read_response()
        except (RedisConnectionError, RedisTimeoutError):
            # A late answer would be read as the answer to the next request.
            connection.disconnect()
            raise
        return found


@dataclass(slots=True)
class _Known:
    """A window as Redis last had it, and what this process has let through since."""

    count: Count
    asked_at: float
    uncounted: int = 0

    def is_wide(self, limit: RateLimit, now: float) -> bool:
        """Whether one more request can wait to be counted: fewer than half of what is allowed have been seen."""
        return (
            now < self.asked_at + UNCOUNTED_SECONDS
            and self.uncounted + 1 < min(MAX_UNCOUNTED, limit.amount // LIMIT_PER_UNCOUNTED)
            and 2 * (self.count.used + self.uncounted) < limit.amount
        )


class BufferedCounter(Counter):
    """Counter in Redis that asks it once for several requests, as long as all their windows are less than half full.

    Beyond that half, requests are counted one by one: what is refused is what Redis counted. Each process may have let
    through a few more by then that it counts with the next request of the same key.
    """

    def __init__(
        self, shared: RedisCounter, clock: Callable[[], float] = monotonic, max_keys: int = MAX_LOCAL_KEYS
    ) -> None:
        self._shared, self._clock, self._max_keys = shared, clock, max_keys
        self._lock = Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def count(self, windows: Sequence[tuple[str, RateLimit]], cost: int = 1) -> list[Count]:
        now = self._clock()
        with self._lock:
            known = [self._known.get(key) for key, _limit in windows]
            if cost == 1 and all(
                each and each.is_wide(limit, now) for each, (_key, limit) in zip(known, windows, strict=True)
            ):
                return [self._let_through(each) for each in known if each]
            uncounted = [each.uncounted if each else 0 for each in known]
            for each in known:
                if each:
                    each.uncounted = 0
        counts = self._shared.count(windows, cost, uncounted)
        with self._lock:
            for (key, _limit), count in zip(windows, counts, strict=True):
                self._keep(key, count._replace(used=count.used + cost - 1), now)
        return counts

    @staticmethod
    def _let_through(known: _Known) -> Count:
        count = Count(known.count.used + known.uncounted + 1, known.count.seconds)
        known.uncounted += 1
        return count

    def _keep(self, key: str, count: Count, now: float) -> None:
        present = self._known.get(key)
        self._known[key] = _Known(count, now, present.uncounted if present else 0)
        self._known.move_to_end(key)
        if len(self._known) > self._max_keys:
            self._known.popitem(last=False)


class LocalCounter(Counter):
    """Counter in this process; of many keys, those that were seen longest ago are forgotten."""

    def __init__(self, clock: Callable[[], float] = monotonic, max_keys: int = MAX_LOCAL_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._lock = Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, windows: Sequence[tuple[str, RateLimit]], cost: int = 1) -> list[Count]:
        now = self._clock()
        with self._lock:
            times = [self._within(key, now - limit.seconds) for key, limit in windows]
            found = [
                Count(len(each), each[0] + limit.seconds - now if each else limit.seconds)
                for each, (_key, limit) in zip(times, windows, strict=True)
            ]
            if all(count.used < limit.amount for count, (_key, limit) in zip(found, windows, strict=True)):
                for each in times:
                    each.extend([now] * cost)
        return found

    def _within(self, key: str, start: float) -> deque[float]:
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        while times and times[0] <= start:
            times.popleft()
        if len(self._times) > self._max_keys:
            self._times.popitem(last=False)
        return times


class FallbackCounter(Counter):
    """The first counter, and the second one while the first does not answer.

    Args:
        pause_seconds: how long the first one is left alone then.
    """

    def __init__(self, shared: Counter, own: Counter, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._shared, self._own = shared, own
        self._pause_seconds = pause_seconds
        # 0 while Redis answers.
        self._own_until = 0.0

    def count(self, windows: Sequence[tuple[str, RateLimit]], cost: int = 1) -> list[Count]:
        if self._own_until:
            if monotonic() < self._own_until:
                return self._own.count(windows, cost)
            # This request tries, and the others go on meanwhile.
            self._own_until = monotonic() + self._pause_seconds
        try:
            found = self._shared.count(windows, cost)
        except RedisError as error:
            if not self._own_until:
                log.warning("rate_limits.without_redis", error=type(error).__name__, pause_seconds=self._pause_seconds)
            self._own_until = monotonic() + self._pause_seconds
            return self._own.count(windows, cost)
        if self._own_until:
            self._own_until = 0.0
            log.info("rate_limits.with_redis")
        return found


def make_counter(redis_url: str) -> Counter:
    """The counter of a process: a local one where there is no Redis."""
    own = LocalCounter()
    return FallbackCounter(BufferedCounter(RedisCounter(redis_url)), own) if redis_url else own
