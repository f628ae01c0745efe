"""What an earlier `tutelage up` left running in a data folder, when it was killed too hard to clean up itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil

FOLDER_VARIABLE = "TUTELAGE_DATA_DIR"
# Set by `up` for its own processes alone: a shell in which somebody exported the folder is nobody's leftover.
MARK_VARIABLE = "TUTELAGE_STARTED_BY_UP"
PATIENCE_SECONDS = 20


def find_leftovers(data_dir: Path) -> list[psutil.Process]:
    """Every process that an `up` started for this folder; never this one or its ancestors."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in spared and _belongs(process, data_dir)]


def end_leftovers(data_dir: Path, *, patience: float = PATIENCE_SECONDS) -> int:
    """End what is left of an earlier run: the process manager first, the programs, and PostgreSQL last and cleanly.

    Args:
        patience: seconds that each of these three may take before it is killed; 0 kills at once.
    Returns:
        How many processes there were.
    """
    found = find_leftovers(data_dir)
    _end([process for process in found if _is_manager(process)], patience)
    # Ending the manager normally ends the rest.
    for servers in (False, True):
        _end([process for process in find_leftovers(data_dir) if _is_postgres(process) is servers], patience)
    return len(found)


def _end(processes: list[psutil.Process], patience: float) -> None:
    for process in processes:
        _signal(process, signal.SIGINT if _is_postgres(process) else signal.SIGTERM)
    _gone, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _belongs(process: psutil.Process, data_dir: Path) -> bool:
    try:
        environment = process.environ()
        return (
            MARK_VARIABLE in environment
            and environment.get(FOLDER_VARIABLE) == str(data_dir)
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.Error, OSError):
        # Another user's process, or one that ended while we looked.
        return False


def _is_manager(process: psutil.Process) -> bool:
    try:
        return "cli.manager" in process.cmdline()
    except psutil.Error:
        return False


def _is_postgres(process: psutil.Process) -> bool:
    try:
        return process.name() == "postgres"
    except psutil.Error:
        return False
