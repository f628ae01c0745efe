"""An upgrade from the release before, and the way back, under load: `make upgrade` for minutes, here for seconds."""

import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from tests import servers
from tests.embedded_servers import start_valkey
from tests.upgrade.release import PATHS, NoReleaseBefore, NotInHistory, require_dependencies, unpack
from tests.upgrade.rollover import an_upgrade

CLIENTS = 2
MENTORS = 4
# Processes that start need the processor more than clients do.
PAUSE_SECONDS = 1


# Thirty processes start one after the other, on a busy machine, too.
@pytest.mark.timeout(900)
def test_no_request_fails_during_an_upgrade_and_the_way_back(tmp_path: Path, worker_id: str) -> None:
    valkey = start_valkey(tmp_path / "redis")
    try:
        with (
            servers.temporary_database(f"tutelage_upgraded_{worker_id}") as database_url,
            an_upgrade(tmp_path, database_url, valkey.url, MENTORS, Console(width=140)) as upgrade,
        ):
            assert upgrade.play(CLIENTS, pause_seconds=PAUSE_SECONDS)
    except NotInHistory as missing:
        pytest.skip(str(missing))
    finally:
        valkey.stop()


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.org")
    command = ["git", *identity, "-c", "commit.gpgsign=false", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def shallow(tmp_path: Path) -> tuple[Path, str]:
    """A shallow clone of a repository with two commits, and the first of them, which it lacks."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet")
    for name in PATHS:
        folder = origin if "." in name else origin / name
        folder.mkdir(exist_ok=True)
        (folder / (name if "." in name else "file.py")).write_text("first")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "First")
    first = git(origin, "rev-parse", "HEAD")
    (origin / "api" / "file.py").write_text("second")
    git(origin, "commit", "--quiet", "--all", "--message", "Second")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth", "1", origin.as_uri(), str(clone))
    return clone, first


def test_a_shallow_clone_gets_the_release_before_from_its_origin(shallow: tuple[Path, str], tmp_path: Path) -> None:
    clone, first = shallow
    unpack(first, tmp_path / "tree", clone)
    assert (tmp_path / "tree" / "api" / "file.py").read_text() == "first"


def test_a_copy_without_the_release_before_says_what_to_do(shallow: tuple[Path, str], tmp_path: Path) -> None:
    clone, first = shallow
    git(clone, "remote", "remove", "origin")
    with pytest.raises(NotInHistory, match=f"git fetch --depth 1 origin {first}"):
        unpack(first, tmp_path / "tree", clone)


def test_a_release_with_other_dependencies_needs_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["flask>=3,<4", "celery<2", "no-such-package"]')
    with pytest.raises(NoReleaseBefore, match="needs celery<2, no-such-package, which"):
        require_dependencies("v0", tmp_path)
