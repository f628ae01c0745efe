"""Figures of processes that have ended: their gauges go, and what they counted is kept, in one file for many."""

from __future__ import annotations

import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict

# So many files of the dead are read at each scrape before they are put together.
MANY = 20
_PID = re.compile(r"_(\d+)\.db$")
_NOBODY = 0
# Without types of its own.
_FILES: Any = MmapedDict


@contextmanager
def put_away(folder: Path) -> Iterator[None]:
    """Put away what the dead have left, unless somebody reads at this moment; nobody else does within the block."""
    with (folder / "lock").open("w") as lock:
        # Somebody who reads is left in peace: next time, then.
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _put_away(folder)
        # Whoever puts together just now is waited for: half of it would be counted twice.
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def forget_gauges(folder: Path, pid: int) -> None:
    """Remove what a process has said about itself."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        # Not prometheus_client's own, which fails where two look after the same process at once.
        file.unlink(missing_ok=True)


def _put_away(folder: Path) -> None:
    dead = [file for file in folder.glob("*.db") if not _lives(_pid_of(file))]
    for pid in {_pid_of(file) for file in dead}:
        forget_gauges(folder, pid)
    for kind in ("counter", "histogram"):
        files = [file for file in dead if file.name.startswith(f"{kind}_") and file.stat().st_size]
        if len(files) > MANY:
            _put_together(folder / f"{kind}_{_NOBODY}.db", files)


def _put_together(kept: Path, files: Iterable[Path]) -> None:
    values: defaultdict[str, float] = defaultdict(float)
    for file in (*files, *([kept] if kept.exists() else [])):
        for key, value, *_ in _FILES.read_all_values_from_file(str(file)):
            values[key] += value
    fresh = kept.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    written = _FILES(str(fresh))
    for key, value in values.items():
        written.write_value(key, value, 0.0)
    written.close()
    fresh.replace(kept)
    for file in files:
        file.unlink()


def _pid_of(file: Path) -> int:
    found = _PID.search(file.name)
    return int(found[1]) if found else _NOBODY


def _lives(pid: int) -> bool:
    if pid == _NOBODY:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
