"""One `tutelage up` per data folder: a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another `tutelage up` holds the data folder; the message names its process."""


@contextmanager
def sole_owner(data_dir: Path) -> Iterator[None]:
    """Hold the data folder's lock for the time of a `with` block.

    The file itself means nothing and stays; what counts is the kernel's lock on it, which no child inherits and which
    ends with this process, however that ends.

    Raises:
        AlreadyRunning: when another process holds it.
    """
    with (data_dir / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise AlreadyRunning(f"Tutelage runs in {data_dir} already (process {holder}).") from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
