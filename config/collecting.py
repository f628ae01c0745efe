"""Sparing the garbage collector: what a process imports stays for good, and is never garbage.

Looking through it again and again while it is being imported, and once more at the end, took a third of the time in
which a process starts and ends.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_USUAL = gc.get_threshold()
# Objects that may be made, beyond those that have gone again, before the collector looks at them.
_WHILE_STARTING = 50_000


def postpone_collecting() -> None:
    """Collect seldom from here on; to be called before the imports.

    Every process that calls this, or is started by cli/tethered.py, must `settle` at some time.
    """
    gc.set_threshold(_WHILE_STARTING, *_USUAL[1:])


def settle() -> None:
    """Collect as usual from here on, but leave alone for good what is there now; to be called when all is imported."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


@contextmanager
def importing() -> Iterator[None]:
    """For a block that does nothing but import: collect seldom in it, and leave alone what it brought."""
    postpone_collecting()
    try:
        yield
    finally:
        settle()
