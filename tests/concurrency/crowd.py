"""Workers of a test: they deliver what each commit calls for, several times over, in any order, beside whoever acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from threading import Condition

from sqlalchemy import Engine

from tests.concurrency.deliveries import House
from workflows.events.delivery import DeliveryKey
from workflows.events.record import Nudge


class Crowd:
    """Calls that wait for somebody, and how many are being answered.

    Args:
        copies: how often a call for an effect of that name is answered; 0 for what is not delivered here.
    """

    def __init__(self, copies: Callable[[str], int]) -> None:
        self._copies = copies
        self._waiting: list[DeliveryKey] = []
        self._busy = 0
        self._over = False
        self._changed = Condition()

    def put(self, nudges: Iterable[Nudge]) -> None:
        """Take the calls of a commit."""
        with self._changed:
            for nudge in nudges:
                key = DeliveryKey(event_id=nudge.event_id, effect=nudge.effect, target=nudge.target)
                self._waiting += [key] * self._copies(nudge.effect)
            self._changed.notify_all()

    def end(self) -> None:
        """Let the workers go home once nothing waits, and nothing can follow any more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def work(self, house: House, chance: Random) -> None:
        """Answer one call after the other until the end."""
        deliverer = house.deliverer
        while (key := self._next(chance)) is not None:
            try:
                deliverer.deliver(key)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self, chance: Random) -> DeliveryKey | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or (self._over and not self._busy))
            if not self._waiting:
                return None
            self._busy += 1
            return self._waiting.pop(chance.randrange(len(self._waiting)))


@contextmanager
def at_work(engine: Engine, workers: int, *, copies: Callable[[str], int], chance: Random) -> Iterator[House]:
    """A house whose commits call workers; left once they have answered every call, or with what went wrong."""
    crowd = Crowd(copies)
    house = House(engine, wakeups=crowd)
    with ThreadPoolExecutor(workers) as threads:
        working = [threads.submit(crowd.work, house, Random(chance.random())) for _ in range(workers)]
        try:
            yield house
        finally:
            crowd.end()
        for each in working:
            each.result()
