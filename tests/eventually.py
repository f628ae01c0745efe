"""Wait for a result that must come: look again and again, and give up in time."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
PAUSE_SECONDS = 0.02


def eventually(look: Callable[[], Value | None], what: str, *, seconds: float = 90) -> Value:
    """The first thing that `look` finds.

    Args:
        look: finds it; anything false means that it is not there yet.
        what: it is, for the message of a test that waited in vain.
        seconds: how long it may take.
    """
    until = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < until, f"{what}: not within {seconds:g} s"
        time.sleep(PAUSE_SECONDS)
