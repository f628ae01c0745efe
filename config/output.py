"""Standard error that never fails: on a full disk, the log loses lines and the process goes on."""

import sys
from contextlib import suppress
from typing import Any, TextIO


class LossyStream:
    """A text stream that drops lines which cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as much as can be."""
        try:
            self._stream.write(text)
        except OSError:
            count_lost_line()
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def count_lost_line() -> None:
    """Count a line of the log that could not be written."""
    # Only here: processes without metrics do not load them for their log.
    from config import telemetry  # noqa: PLC0415

    # Metrics are files, too.
    with suppress(Exception):
        telemetry.LOG_LINES_LOST.inc()


def outlive_full_disk() -> None:
    """Have standard error drop lines that it cannot write, from now on."""
    if not isinstance(sys.stderr, LossyStream):
        sys.stderr = LossyStream(sys.stderr)
