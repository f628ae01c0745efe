"""Processes with all their children: killed, or stopped for the time of a block."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.eventually import eventually

STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL processes one after the other; processes that end with an earlier one are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Suspend these processes and their descendants for the time of a `with` block."""
    for pid in pids:
        # From here on it makes no more of them.
        psutil.Process(pid).suspend()
    processes = [each for pid in pids for each in family(pid)]
    try:
        for each in processes:
            # One may have been about to end.
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        # The kernel stops a process that runs at its next chance, not at once.
        eventually(lambda: all(map(_has_stopped, processes)), "the stop of all processes")
        yield
    finally:
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                each.resume()


def _has_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() in STOPPED
    except psutil.NoSuchProcess:
        return True
