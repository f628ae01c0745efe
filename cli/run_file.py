"""`<data-dir>/run.json`: what a running `tutelage up` tells scripts about itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Run = dict[str, Any]


def run_file(data_dir: Path) -> Path:
    """Where the file is, or would be."""
    return data_dir / "run.json"


def read_run(data_dir: Path) -> Run | None:
    """What runs in this data folder; None when nothing does, or nothing is ready yet."""
    try:
        content: Run = json.loads(run_file(data_dir).read_text())
    except FileNotFoundError:
        return None
    return content


def write_run(data_dir: Path, run: Run) -> None:
    """Replace the file in one step, so that no reader ever sees half of it. It is private: it holds a password."""
    fresh = data_dir / "run.json.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        json.dump(run, output, indent=2)
        output.write("\n")
    fresh.replace(run_file(data_dir))


def remove_run(data_dir: Path) -> None:
    """Nothing runs here any more."""
    run_file(data_dir).unlink(missing_ok=True)
