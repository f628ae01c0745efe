"""The release before this one: its tree out of the repository's history, its parts and its effects."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from cli.plan import ROOT
from cli.system import MODULES
from config.settings import STARTED_BY_UP

# Until there is a tag: the last commit whose newest revision was 0120.
RECORDED = "5fd8e6e6a40f44c52a932e8aef63dc39fd0dbf08"
FETCH_SECONDS = 120
# What a release runs by; tests and documents are those of this tree.
PATHS = ("api", "cli", "config", "infrastructure", "migrations", "models", "workers", "workflows", "pyproject.toml")
_PROGRAMS = """
import json
from cli.plan import PROGRAMS
print(json.dumps({part.name: part.command for part in PROGRAMS if part.name != "flower"}))
"""


class NoReleaseBefore(Exception):
    """The tree of the release before cannot be had, or cannot be run; the message says what to do."""


class NotInHistory(NoReleaseBefore):
    """This copy of the repository does not have the tree, and cannot fetch it."""


@dataclass(frozen=True)
class Release:
    """A tree of Tutelage, and the Python whose environment its processes run in."""

    name: str
    tree: Path
    python: str = sys.executable

    def argv(self, program: str, *words: str) -> list[str]:
        """The command line of one of its programs."""
        return [self.python, "-P", "-m", MODULES[program], *words]

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """That of its processes: the tree comes before the one that the environment was made for."""
        # As part of a system, which reads no `.env`.
        own = {"PYTHONPATH": str(self.tree), "PYTHONUNBUFFERED": "1", STARTED_BY_UP: str(os.getpid())}
        return {**os.environ, **settings, **own}

    def output(self, argv: list[str], settings: Mapping[str, str]) -> str:
        """What a command of this release prints.

        Raises:
            AssertionError: it has failed, with what it says.
        """
        ended = subprocess.run(
            argv, env=self.environment(settings), cwd=self.tree, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{self.name}: {' '.join(argv[3:])}: {ended.stderr}"
        return ended.stdout

    def programs(self) -> dict[str, list[str]]:
        """The command of each part, by its name, with fields for its address."""
        programs: dict[str, list[str]] = json.loads(self.output([self.python, "-P", "-c", _PROGRAMS], {}))
        return programs

    def effects(self, settings: Mapping[str, str]) -> set[str]:
        """The names of the effects that its workers know."""
        return {row["effect"] for row in json.loads(self.output(self.argv("tutelage", "effects", "--json"), settings))}


def release_before(folder: Path) -> Release:
    """The tree of UPGRADE_FROM (a folder, or a commit or tag), else of the newest tag, else of the recorded commit.

    Args:
        folder: to unpack it into.
    Raises:
        NoReleaseBefore: it is not in this copy of the repository, or needs an environment of its own.
    """
    given = os.environ.get("UPGRADE_FROM", "")
    if given and Path(given).is_dir():
        tree, name = Path(given).resolve(), given
    else:
        tree, name = folder, given or _newest_tag() or RECORDED
        unpack(name, tree)
    python = os.environ.get("UPGRADE_PYTHON", "")
    if not python:
        require_dependencies(name, tree)
    return Release(name, tree, python or sys.executable)


def unpack(name: str, folder: Path, repository: Path = ROOT) -> None:
    """Write the tree of a commit or a tag into a folder; a shallow clone gets that one commit from its origin.

    Raises:
        NotInHistory: the commit is not to be had.
    """
    words = ("archive", "--format=tar", f"{name}^{{tree}}", *PATHS)
    found = _git(repository, *words)
    if found.returncode and _git(repository, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        _git(repository, "fetch", "--quiet", "--depth", "1", "origin", name)
        found = _git(repository, *words)
    if found.returncode:
        raise NotInHistory(
            f"The upgrade is tested from {name}, which this copy of the repository does not have"
            f" ({found.stderr.decode().strip()}). In a clone, run `git fetch --depth 1 origin {name}` or `git fetch"
            " --unshallow`. Without git, name a folder with that version by UPGRADE_FROM."
        )
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")


def require_dependencies(name: str, tree: Path) -> None:
    """Raise NoReleaseBefore where the packages of this environment are not within the bounds of that tree."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    wrong = [each for each in project["dependencies"] if not _is_installed(Requirement(each))]
    if wrong:
        raise NoReleaseBefore(
            f"{name} needs {', '.join(wrong)}, which this environment does not have. Make one of its own: unpack"
            f" {name}, run `make setup` there, and name its .venv/bin/python by UPGRADE_PYTHON."
        )


def _is_installed(needed: Requirement) -> bool:
    try:
        return needed.specifier.contains(version(needed.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _newest_tag() -> str:
    """The newest version's tag among the ancestors of this commit; empty where there is none."""
    found = _git(ROOT, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")
    return found.stdout.decode().strip()


def _git(repository: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    # The folder may belong to another user, such as a check's.
    command = ["git", "-c", "safe.directory=*", "-C", str(repository), *words]
    # It asks nobody for a password.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=FETCH_SECONDS)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, b"", str(error).encode())
