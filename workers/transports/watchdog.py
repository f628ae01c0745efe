"""One thread that rings for whoever asked: deadlines of everything in flight, and the end of idle connections."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from threading import Condition, Lock, Thread
from time import monotonic

import structlog

log = structlog.get_logger(__name__)


class Alarm:
    """Something to do at a moment, unless it is called off before. Once called off, it is not being done either."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act
        self._lock = Lock()

    @property
    def over(self) -> bool:
        """Whether it has been called off."""
        return self._act is None

    def call_off(self) -> None:
        """Do nothing any more. Waits for what is being done."""
        with self._lock:
            self._act = None

    def ring(self) -> None:
        """Do it, unless it was called off."""
        with self._lock:
            if self._act is not None:
                self._act()


class Watchdog:
    """Rings alarms in time. A thread per message would cost more than the message does."""

    def __init__(self) -> None:
        self._changed = Condition(Lock())
        self._due: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()
        self._thread: Thread | None = None

    def after(self, seconds: float, act: Callable[[], None]) -> Alarm:
        """Do that in so many seconds, in the watchdog's thread: it must be quick."""
        alarm = Alarm(act)
        entry = (monotonic() + seconds, next(self._numbers), alarm)
        with self._changed:
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:
                self._changed.notify()
            # Its thread does not outlive a fork, and is not needed before the first alarm.
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
        return alarm

    def _run(self) -> None:
        while True:
            alarm = self._next()
            try:
                alarm.ring()
            except Exception as error:
                # One alarm's trouble must not silence the others.
                log.error("watchdog.failed", exc_info=error)

    def _next(self) -> Alarm:
        with self._changed:
            while True:
                # Nearly every alarm is called off: those are passed over here, many at a time.
                while self._due and self._due[0][2].over:
                    heapq.heappop(self._due)
                pause = self._due[0][0] - monotonic() if self._due else None
                if pause is not None and pause <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(pause)


WATCHDOG = Watchdog()
