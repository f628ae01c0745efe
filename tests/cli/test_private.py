"""Tests of the data folder: private where it is ours, and as it was where it is somebody's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cli.private import prepare_data_folder, write_private


def mode(path: Path) -> int:
    """Who may do what with it."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_lets_servers_pass_and_nobody_read(tmp_path: Path) -> None:
    data_dir = tmp_path / "deep" / "data"
    prepare_data_folder(data_dir)
    assert mode(data_dir) == 0o711
    assert mode(data_dir / "logs") == 0o700


@pytest.mark.parametrize("before", [0o755, 0o700, 0o1777])
def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path, before: int) -> None:
    tmp_path.chmod(before)
    prepare_data_folder(tmp_path)
    assert mode(tmp_path) == before
    assert mode(tmp_path / "logs") == 0o700


def test_what_an_earlier_version_left_open_is_closed_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    for name in ("logs", "mail", "somebodys"):
        (tmp_path / name).mkdir(mode=0o755)
    for name in ("flower.db", "flower.db.dat", "lock", "notes.txt"):
        (tmp_path / name).touch(mode=0o644)
    (tmp_path / "flower.db.link").symlink_to(tmp_path / "notes.txt")
    prepare_data_folder(tmp_path)
    modes = {path.name: mode(path) for path in tmp_path.iterdir() if not path.is_symlink()}
    closed = {"logs": 0o700, "mail": 0o700, "flower.db": 0o600, "flower.db.dat": 0o600, "lock": 0o600}
    assert modes == closed | {"somebodys": 0o755, "notes.txt": 0o644}


def test_a_private_file_is_private_even_where_an_open_one_was(tmp_path: Path) -> None:
    file = tmp_path / "supervisord.conf"
    file.write_text("old")
    write_private(file, "new")
    assert (file.read_text(), mode(file)) == ("new", 0o600)
