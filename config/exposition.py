"""The figures as Prometheus reads them: this process's own, or those of all that share a folder on this machine."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config.telemetry import REGISTRY

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Read by prometheus_client, when it is imported.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_GAUGES_OF = re.compile(r"gauge_live\w+_(\d+)\.db")


def prepare_folder() -> None:
    """Make the shared folder, if it is wanted and not there: whoever counts into a missing one would fail."""
    if FOLDER_VARIABLE in os.environ:
        Path(os.environ[FOLDER_VARIABLE]).mkdir(mode=0o700, parents=True, exist_ok=True)


def exposition() -> bytes:
    """All figures, in Prometheus's text format."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return generate_latest(REGISTRY)
    shared = CollectorRegistry()
    shared.register(_Folder(Path(folder)))
    return generate_latest(shared)


def forget_process(pid: int) -> None:
    """A process has ended: what it counted stays, what it said about itself does not."""
    if FOLDER_VARIABLE in os.environ:
        # Not prometheus_client's own, which fails where two look after the same process at once.
        for file in Path(os.environ[FOLDER_VARIABLE]).glob(f"gauge_live*_{pid}.db"):
            file.unlink(missing_ok=True)


def bears(authorization: str, token: str) -> bool:
    """Whether an Authorization header brings that bearer token; compared in constant time."""
    scheme, _, brought = authorization.strip().partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(brought.strip().encode(), token.encode())


class _Folder(Collector):
    """What the processes of this machine have written into a folder, added up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Everything, without the gauges of processes that were killed before they could take them along."""
        gauges = [_GAUGES_OF.fullmatch(file.name) for file in self._folder.glob("gauge_*.db")]
        for pid in {int(found[1]) for found in gauges if found}:
            if not _lives(pid):
                forget_process(pid)
        # A file is empty for a moment between its making and its first page.
        files = [str(file) for file in self._folder.glob("*.db") if _size(file)]
        found: Iterable[Metric] = MultiProcessCollector.merge(files, accumulate=True)  # type: ignore[no-untyped-call]
        return found


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
