"""An absolute deadline for talking over a socket: a time-out per read is none, a dripping server resets it for ever."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer


class DeadlineExceeded(OSError):
    """The other side was still talking, or silent, when its time was up."""


@contextmanager
def deadline(seconds: float, current_socket: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Cut the connection off when the block has not ended in time.

    Args:
        current_socket: finds the socket that is in use at that moment, None before there is one.

    Raises:
        DeadlineExceeded: instead of whatever the cut made the block raise.
    """
    passed = Event()

    def cut_off() -> None:
        passed.set()
        connected = current_socket()
        if connected is not None:
            # The other side may have closed it in the same instant.
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if passed.is_set():
            raise DeadlineExceeded(f"No complete answer within {seconds:g} s.") from error
        raise
    finally:
        timer.cancel()
    if passed.is_set():
        raise DeadlineExceeded(f"No complete answer within {seconds:g} s.")
