"""The socket at which supervisord listens: in a folder of its own, which leaves with it."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path


def new_socket() -> Path:
    """A path for it. Not in the data folder: a socket's path may hold about 100 bytes."""
    return Path(tempfile.mkdtemp(prefix="tutelage-")) / "supervisor.sock"


def remove_socket(data_dir: Path) -> None:
    """Remove the socket's folder that the configuration names, where a killed supervisord left it."""
    configuration = data_dir / "supervisord.conf"
    found = re.search(r"^file=(.+)$", configuration.read_text(), re.MULTILINE) if configuration.exists() else None
    if found:
        shutil.rmtree(Path(found[1]).parent, ignore_errors=True)
        configuration.unlink()
