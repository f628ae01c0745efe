"""The data folder's private parts: logs, mails and Flower's memory are for whoever started the system, and nobody else.

The folder itself stays open for passing through: PostgreSQL's and Valkey's own folders in it belong to another user
when root starts them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

UMASK = 0o077
_PASSABLE, _FOLDER, _FILE = 0o711, 0o700, 0o600
_FOLDERS = ("logs", "mail")
# supervisord.conf, run.json and whatever the database of Flower's tasks is split into, by an earlier version perhaps.
_FILES = ("supervisord.conf", "supervisord.pid", "run.json", "lock", "flower.db*")


def prepare_data_folder(data_dir: Path) -> None:
    """Make the folder and its `logs` where they are missing, and close what in it is open to others.

    A folder that is there already keeps its own mode: it may be anybody's, such as a home.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    if not data_dir.exists():
        data_dir.mkdir(exist_ok=True)
        data_dir.chmod(_PASSABLE)
    (data_dir / "logs").mkdir(mode=_FOLDER, exist_ok=True)
    for name in _FOLDERS:
        _close(data_dir / name, _FOLDER)
    for pattern in _FILES:
        for file in data_dir.glob(pattern):
            _close(file, _FILE)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE), "w") as output:
        output.write(text)


def _close(path: Path, mode: int) -> None:
    if path.exists() and not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & UMASK:
        path.chmod(mode)
