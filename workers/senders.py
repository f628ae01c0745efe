"""Who sends: threads of this process that wait for receivers, hired by whoever has something to send."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Condition, Event, Lock, Thread
from typing import Protocol

Job = Callable[[], None]
# Does what a sender is hired for, and returns what remains to be done when that sender is free again.
Send = Callable[[], Job]

# To claim one delivery costs nearly what it costs to claim ten: senders who become free are waited for a little.
ENOUGH = 8
PATIENCE = 0.005  # seconds


class Senders(Protocol):
    """So many that can be hired; each sends one message and is free again."""

    def hire(self, most: int) -> int: ...

    def let_go(self, count: int) -> None: ...

    def send(self, send: Send) -> None: ...


class InThisThread:
    """One sender, who is the caller: one message after the other."""

    def hire(self, most: int) -> int:
        """Everything can be had at once."""
        return most

    def let_go(self, count: int) -> None:
        """Nobody was kept."""

    def send(self, send: Send) -> None:
        """Do all of it now."""
        send()()


class Pool:
    """So many messages on their way at a time, each in a thread that takes care of what follows as well.

    Args:
        count: how many can be hired.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = count
        self._threads = 0
        self._idle = 0
        self._sends: SimpleQueue[Send] = SimpleQueue()
        self._turn = Lock()
        self._changed = Condition(Lock())
        self._wanted = 0

    def hire(self, most: int) -> int:
        """Wait until some are free, and take up to `most` of them; one who hires waits at a time."""
        with self._turn, self._changed:
            self._wait_for(min(most, ENOUGH, self._count), PATIENCE)
            self._wait_for(1, None)
            count = min(self._free, most)
            self._free -= count
        return count

    def let_go(self, count: int) -> None:
        """So many have nothing more to send."""
        with self._changed:
            self._free += count
            if 0 < self._wanted <= self._free:
                self._changed.notify()

    def send(self, send: Send) -> None:
        """Have it sent by one who was hired; it must not raise, nor what it returns."""
        with self._changed:
            self._idle -= 1
            # While some of them settle what they sent, others send: at most two for each that can be hired.
            grows = self._idle < 0 and self._threads < 2 * self._count
            self._threads += grows
        if grows:
            self._grow()
        self._sends.put(send)

    def _grow(self) -> None:
        try:
            Thread(target=self._run, name="sender", daemon=True).start()
        except RuntimeError:
            # The machine has no thread left: this one is not sent, and whoever was hired for it is free again.
            with self._changed:
                self._idle += 1
                self._threads -= 1
            self.let_go(1)
            raise

    def _wait_for(self, wanted: int, seconds: float | None) -> None:
        if self._free < wanted:
            self._wanted = wanted
            self._changed.wait_for(lambda: self._free >= wanted, seconds)
            self._wanted = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
            rest = self._sends.get()()
            self.let_go(1)
            rest()


class Jobs:
    """What was given to senders together, and is waited for together."""

    def __init__(self, senders: Senders) -> None:
        self._senders = senders
        self._lock = Lock()
        self._open = 1
        self._over = Event()
        self._error: BaseException | None = None

    def send(self, send: Send) -> None:
        """Give one to a sender who was hired."""
        with self._lock:
            self._open += 1
        try:
            self._senders.send(lambda: self._watched_send(send))
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for it
            # Nobody has it, so that nobody would ever end it; the others can be sent all the same.
            self._error = error
            self._end_one()

    def wait(self) -> None:
        """Wait until all are done.

        Raises:
            BaseException: what one of them raised.
        """
        self._end_one()
        self._over.wait()
        if self._error is not None:
            raise self._error

    def _watched_send(self, send: Send) -> Job:
        try:
            rest = send()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for it
            self._error = error
            self._end_one()
            return _nothing
        return lambda: self._watched_rest(rest)

    def _watched_rest(self, rest: Job) -> None:
        try:
            rest()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for it
            self._error = error
        finally:
            self._end_one()

    def _end_one(self) -> None:
        with self._lock:
            self._open -= 1
            if not self._open:
                self._over.set()


def _nothing() -> None:
    """All is done already."""
