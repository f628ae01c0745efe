"""Files by which processes share their metrics, with all of their space allocated.

prometheus_client (0.26) makes them sparse and maps them into memory: on a full disk, the first figure that needs a page
of its own ends the process with SIGBUS. There is no setting for that, so `MetricFile` replaces its class.
"""

import logging
import os
from pathlib import Path
from time import monotonic
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

log = logging.getLogger(__name__)

# As prometheus_client begins; the size doubles each time it is used up.
INITIAL_BYTES = 1 << 16
# Of an entry beside its key: lengths, padding, value and time.
ENTRY_BYTES = 32
RETRY_SECONDS = 5.0


class MetricFile:
    """The figures of one process and one kind, by their keys; in memory while the disk is full.

    The export of a folder lacks the figures in memory. Like prometheus_client's own class, it is used under its
    caller's lock.
    """

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._file: Any = None
        self._in_memory: dict[str, tuple[float, float]] = {}
        self._retry_at = 0.0

    def read_value(self, key: str) -> tuple[float, float]:
        """A value and its time; 0 and 0 for a new key."""
        if key not in self._in_memory:
            try:
                value, timestamp = self._opened().read_value(key)
            except OSError as error:
                self._keep_in_memory(key, 0.0, 0.0, error)
            else:
                return value, timestamp
        return self._in_memory[key]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set a value and its time."""
        if self._in_memory and monotonic() < self._retry_at:
            self._in_memory[key] = value, timestamp
            return
        try:
            file = self._opened()
            for each in list(self._in_memory):
                file.write_value(each, *self._in_memory[each])
                del self._in_memory[each]
            file.write_value(key, value, timestamp)
        except OSError as error:
            self._keep_in_memory(key, value, timestamp, error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> Any:
        if self._file is None:
            self._file = _AllocatedFile(self._filename)
        return self._file

    def _keep_in_memory(self, key: str, value: float, timestamp: float, error: OSError) -> None:
        if not self._in_memory:
            log.warning("No room for metrics: they are kept in memory, and not exported. %s", error)
        self._in_memory[key] = value, timestamp
        self._retry_at = monotonic() + RETRY_SECONDS


class _AllocatedFile(MmapedDict):
    """prometheus_client's file, whose space is allocated before it is mapped.

    Raises:
        OSError: there is none; nothing has changed then.
    """

    def __init__(self, filename: str) -> None:
        with Path(filename).open("ab") as file:
            _allocate(file.fileno(), INITIAL_BYTES)
        super().__init__(filename)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + ENTRY_BYTES > self._capacity:
            _allocate(self._f.fileno(), 2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def _allocate(file: int, size: int) -> None:
    before = os.fstat(file).st_size
    try:
        os.posix_fallocate(file, 0, size)
    except OSError:
        # The space that was allocated is given back.
        os.ftruncate(file, before)
        raise


def use_allocated_files() -> None:
    """Have prometheus_client use these files; called before the first metric is made."""
    vars(values)[MmapedDict.__name__] = MetricFile
