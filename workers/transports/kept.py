"""Connections that wait for the next message to the same host: few of them, and not for long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from threading import Lock
from time import monotonic

from workers.transports.connections import Connection, Key
from workers.transports.watchdog import WATCHDOG

# Servers that close idle connections do so after 5 s at the earliest, nearly all of them; ours are gone before that.
IDLE_SECONDS = 4.0
KEPT = 128
KEPT_PER_KEY = 32


class Kept:
    """Idle connections, bounded in number and in time."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._lock = Lock()
        self._idle: dict[Key, deque[tuple[float, Connection]]] = {}
        self._number = 0
        self._clearing = False

    def take(self, keys: Iterable[Key]) -> Connection | None:
        """A connection that is still alive, as far as can be told, for one of those; it is the caller's now."""
        for key in keys:
            while (connection := self._pop(key)) is not None:
                if connection.is_connected:
                    return connection
                connection.end()
        return None

    def give(self, connection: Connection) -> None:
        """Keep a connection whose last answer has been read to its end, or close it if there are enough."""
        with self._lock:
            shelf = self._idle.setdefault(connection.key, deque())
            kept = self._number < KEPT and len(shelf) < KEPT_PER_KEY
            if kept:
                shelf.append((monotonic(), connection))
                self._number += 1
            starts, self._clearing = kept and not self._clearing, self._clearing or kept
        if not kept:
            connection.end()
        if starts:
            WATCHDOG.after(self._idle_seconds, self._clear_out)

    def close(self) -> None:
        """Close all that are idle."""
        for connection in self._older_than(float("inf")):
            connection.end()

    def _pop(self, key: Key) -> Connection | None:
        with self._lock:
            shelf = self._idle.get(key)
            if not shelf:
                return None
            since, connection = shelf.pop()
            self._number -= 1
        if monotonic() - since > self._idle_seconds:
            connection.end()
            return self._pop(key)
        return connection

    def _clear_out(self) -> None:
        for connection in self._older_than(monotonic() - self._idle_seconds):
            with suppress(OSError):
                connection.end()
        with self._lock:
            goes_on = self._clearing = self._number > 0
        if goes_on:
            WATCHDOG.after(self._idle_seconds / 2, self._clear_out)

    def _older_than(self, moment: float) -> list[Connection]:
        old: list[Connection] = []
        with self._lock:
            for key, shelf in list(self._idle.items()):
                while shelf and shelf[0][0] <= moment:
                    old.append(shelf.popleft()[1])
                if not shelf:
                    del self._idle[key]
            self._number -= len(old)
        return old
