"""Standard error that ends no process: a log on a full disk loses lines, and nothing else."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, TextIO


class LossyStream:
    """A text stream whose lines are lost where they cannot be written; all else is as the stream has it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as much as can be."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush as much as can be."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def outlive_full_disk() -> None:
    """Let standard error lose from now on what it cannot write."""
    if not isinstance(sys.stderr, LossyStream):
        sys.stderr = LossyStream(sys.stderr)
