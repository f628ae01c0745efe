"""A file system of a few megabytes that a test can fill: mounted, with or without the right to mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.eventually import eventually

NEEDED = (
    "A test fills a file system of its own. It needs the right to mount one: as root, by `sudo -n`, or in a user"
    " namespace (`unshare --user --mount`). This machine permits none of them:"
)


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own, and the file that fills it."""

    path: Path

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Leave no room for a single byte."""
        with (self.path / "ballast").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def empty(self) -> None:
        (self.path / "ballast").unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one at a folder for the time of a `with` block."""
    folder.mkdir()
    options = f"size={megabytes}m,mode=0755,uid={os.geteuid()},gid={os.getegid()}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    said = []
    for rights in ([], ["sudo", "-n"]):
        if (problem := _failure([*rights, *mount])) is None:
            try:
                yield SmallDisk(folder)
            finally:
                subprocess.run([*rights, "umount", "--lazy", folder], check=True)
            return
        said.append(problem)
    # Others reach it by way of a process that has it mounted.
    words = ["unshare", "--user", "--map-current-user", "--mount", "--keep-caps"]
    script = f"mount -t tmpfs -o size={megabytes}m,mode=0755 tmpfs '{folder}' && touch '{folder}/mounted' && cat"
    holder = subprocess.Popen([*words, "sh", "-c", script], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        path = Path(f"/proc/{holder.pid}/root{folder}")
        eventually(lambda: holder.poll() is not None or (path / "mounted").exists(), "a mounted file system")
        if holder.poll() is not None:
            pytest.fail("\n".join([NEEDED, *said, holder.communicate()[1].decode()]))
        yield SmallDisk(path)
    finally:
        holder.kill()
        holder.communicate()


def _failure(command: list[str]) -> str | None:
    """The message of a command that failed; None where it succeeded."""
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.decode()
