"""The folder in which the parts of one `tutelage up` keep what they count, so that each can answer for all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

_PRIVATE = 0o700


def figures_folder(data_dir: Path) -> Path:
    """Where it is."""
    return data_dir / "metrics"


def prepare_figures(data_dir: Path) -> None:
    """Begin at nothing: what processes of an earlier run have counted says nothing about this one."""
    folder = figures_folder(data_dir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=_PRIVATE)
