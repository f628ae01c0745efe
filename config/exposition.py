"""The figures as Prometheus reads them: this process's own, or those of all that share a folder on this machine."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config.ended_processes import put_away
from config.telemetry import REGISTRY

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Read by prometheus_client, when it is imported.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


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
        if not self._folder.is_dir():
            return ()
        with put_away(self._folder):
            files = [str(file) for file in self._folder.glob("*.db") if _has_begun(file)]
            found: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
            return found


def _has_begun(file: Path) -> bool:
    """Whether it has a first page: it has none for a moment; and gauges may be gone before one looks."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False
