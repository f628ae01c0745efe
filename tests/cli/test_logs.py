"""Tests of the log files of `tutelage up`: appended to by the parts themselves, and cut short when they are large."""

import subprocess
from pathlib import Path

import pytest

from cli.system import LOG_LIMIT_BYTES, appending_to, rotate


def test_a_command_appends_its_output_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "a log.log"
    for word in ("one", "two"):
        subprocess.run(appending_to(log, ["sh", "-c", f"echo {word}; echo $0 >&2", "%"]), check=True)
    assert log.read_text() == "one\n%\ntwo\n%\n"


@pytest.mark.parametrize(("size", "kept"), [(LOG_LIMIT_BYTES, False), (LOG_LIMIT_BYTES + 1, True)])
def test_a_large_log_is_kept_once_and_begun_anew(tmp_path: Path, size: int, kept: bool) -> None:
    log, older = tmp_path / "api.log", tmp_path / "api.log.1"
    log.write_bytes(b"x" * size)
    with log.open("ab", buffering=0) as writer:
        rotate(log)
        writer.write(b"next\n")
    assert older.exists() == kept
    assert log.stat().st_size == (5 if kept else size + 5)


def test_a_missing_log_is_left_alone(tmp_path: Path) -> None:
    rotate(tmp_path / "api.log")
    assert list(tmp_path.iterdir()) == []


def test_a_large_log_is_cut_short_where_no_copy_has_room(tmp_path: Path) -> None:
    log, older = tmp_path / "api.log", tmp_path / "api.log.1"
    log.write_bytes(b"x" * (LOG_LIMIT_BYTES + 1))
    older.symlink_to("/dev/full")
    rotate(log)
    assert log.stat().st_size == 0
    assert not older.is_symlink()
