"""An absolute deadline for talking over a socket: a time-out per read is none, a dripping server resets it for ever."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from workers.transports.watchdog import WATCHDOG, Alarm

AGAIN_SECONDS = 0.2


class DeadlineExceeded(OSError):
    """The other side was still talking, or silent, when its time was up."""


class Deadline:
    """Cuts off whichever connection is in use when the time is up, and every one that is taken into use later.

    Args:
        seconds: from now on.
        current_socket: finds the socket that is in use at that moment, None before there is one.
    """

    def __init__(self, seconds: float, current_socket: Callable[[], socket.socket | None]) -> None:
        self.seconds = seconds
        self.passed = False
        self._current_socket = current_socket
        self._until = monotonic() + seconds
        self._alarm: Alarm = WATCHDOG.after(seconds, self._cut_off)

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it has passed."""
        return max(self._until - monotonic(), 0.0)

    def check(self) -> None:
        """Refuse to begin anything after the end.

        Raises:
            DeadlineExceeded: the time is up.
        """
        if self.passed or not self.left:
            raise DeadlineExceeded(f"No complete answer within {self.seconds:g} s.")

    def begin_again(self, seconds: float) -> None:
        """Give so many seconds from now on, unless the time is up already."""
        self.call_off()
        if not self.passed:
            self.seconds, self._until = seconds, monotonic() + seconds
        self._alarm = WATCHDOG.after(self.left, self._cut_off)

    def call_off(self) -> None:
        """All was said in time. Nothing is cut off any more once this returns."""
        while not self._alarm.over:
            # It may just be setting itself for another time.
            self._alarm.call_off()

    def _cut_off(self) -> None:
        self.passed = True
        connected = self._current_socket()
        if connected is not None:
            # The other side may have closed it in the same instant.
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
        # There was no connection yet, or another is taken into use in spite of it.
        self._alarm = WATCHDOG.after(AGAIN_SECONDS, self._cut_off)


@contextmanager
def deadline(seconds: float, current_socket: Callable[[], socket.socket | None]) -> Iterator[Deadline]:
    """Cut the connection off when the block has not ended in time.

    Args:
        current_socket: finds the socket that is in use at that moment, None before there is one.

    Raises:
        DeadlineExceeded: instead of whatever the cut made the block raise.
    """
    watched = Deadline(seconds, current_socket)
    try:
        yield watched
    except Exception as error:
        # Whoever waited for just what was left may be back before the watchdog has rung.
        if watched.passed or not watched.left:
            raise DeadlineExceeded(f"No complete answer within {watched.seconds:g} s.") from error
        raise
    finally:
        watched.call_off()
    if watched.passed:
        raise DeadlineExceeded(f"No complete answer within {watched.seconds:g} s.")
