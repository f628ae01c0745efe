"""Tests of .ci/run, with a `make` and an `npm` that only note what they are asked for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.plan import ROOT

NEEDED = ("bash", "dirname", "mktemp", "mkdir", "cp", "rm", "diff", "id", "timeout", "cat")
# Builds what `built` has, and fails where a file says so.
MAKE = """#!/bin/bash
echo "$*" >> asked
if [ "$1" = component ]; then cp built/* api/component/; mkdir component/node_modules; fi
[ ! -e "fails-$1" ]
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a built component, and programs that are all there is."""
    for folder in (".ci", "api/component", "built", "bin", "component"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    for folder in ("api/component", "built"):
        (tmp_path / folder / "session-booking.js").write_text("export {};\n")
    for name in NEEDED:
        found = shutil.which(name)
        assert found, name
        (tmp_path / "bin" / name).symlink_to(found)
    program(tmp_path, "make", MAKE)
    return tmp_path


def program(clone: Path, name: str, script: str = "#!/bin/bash\nexit 0\n") -> None:
    (clone / "bin" / name).write_text(script)
    (clone / "bin" / name).chmod(0o755)


def run(clone: Path) -> tuple[int, str, list[str]]:
    """How it ended, what it printed, and what `make` was asked for."""
    environment = {"PATH": str(clone / "bin"), "HOME": str(clone)}
    command = [str(clone / "bin" / "bash"), ".ci/run"]
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, (clone / "asked").read_text().splitlines()


def test_python_and_make_are_enough(clone: Path) -> None:
    status, printed, asked = run(clone)
    # The checks run beside the tests.
    assert (status, asked[0], sorted(asked[1:])) == (0, "setup", ["check", "test"])
    assert "no node 20" in printed
    assert "no Chromium" in printed


def test_the_component_is_built_and_pages_are_tested(clone: Path) -> None:
    for name in ("node", "npm", "chromium"):
        program(clone, name)
    status, _printed, asked = run(clone)
    chromium = clone / "bin" / "chromium"
    assert status == 0
    assert asked.index("check") < 5
    asked.remove("check")
    # The component is built beside the setup, and is there before the tests.
    assert sorted(asked[:2]) == ["component", "setup"]
    # It is tested beside the other tests.
    assert sorted(asked[2:4]) == ["test", "test-component"]
    assert asked[4:] == [".venv/.browser-ready", f"test-browser CHROMIUM={chromium}"]


@pytest.mark.parametrize("status", [0, 1])
def test_alerts_are_played_where_promtool_is(clone: Path, status: int) -> None:
    program(clone, "promtool")
    if status:
        (clone / "fails-test-alerts").touch()
    ended, _printed, asked = run(clone)
    # Alerts are played beside the tests.
    assert (ended, asked[0], sorted(asked[1:])) == (status, "setup", ["check", "test", "test-alerts"])


@pytest.mark.parametrize("change", ["changed", "added", "missing"])
def test_other_files_than_the_built_ones_fail(clone: Path, change: str) -> None:
    for name in ("node", "npm"):
        program(clone, name)
    if change == "missing":
        (clone / "api/component/session-booking.js").unlink()
    else:
        name = "session-booking.js" if change == "changed" else "enhanced-AbCdEfGh.js"
        (clone / "built" / name).write_text("export const other = 1;\n")
    status, printed, _asked = run(clone)
    assert status == 1
    assert "run `make component`" in printed


def test_a_registry_that_is_away_fails_nothing(clone: Path) -> None:
    program(clone, "node")
    program(clone, "npm", "#!/bin/bash\nexit 1\n")
    status, printed, asked = run(clone)
    assert (status, "component" in asked) == (0, False)
    assert "registry does not answer" in printed


def test_the_component_is_tested_in_a_firefox(clone: Path) -> None:
    program(clone, "firefox-esr")
    status, printed, asked = run(clone)
    firefox = clone / "bin" / "firefox-esr"
    assert (status, asked[3]) == (0, ".venv/.browser-ready")
    assert asked[4].startswith(f"test-browser FIREFOX={firefox} BROWSERS=0 ARGS=-k 'realtime and not (phone or ")
    assert "no Chromium" in printed


def test_browsers_are_tested_side_by_side(clone: Path) -> None:
    for name in ("chromium", "firefox"):
        program(clone, name)
    status, printed, asked = run(clone)
    assert (status, len(asked)) == (0, 6)
    assert {each.split("=")[0] for each in asked[4:]} == {"test-browser CHROMIUM", "test-browser FIREFOX"}
    assert "== firefox: " in printed


@pytest.mark.parametrize("step", ["check", "test", "component", "test-component", "test-browser"])
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_step_that_fails_fails_the_whole(clone: Path, step: str, browser: str) -> None:
    for name in ("node", "npm", browser):
        program(clone, name)
    (clone / f"fails-{step}").touch()
    status, printed, asked = run(clone)
    assert (status, len(asked)) == (1, 7)
    assert "FAILED" in printed


def test_nothing_is_tested_without_an_environment(clone: Path) -> None:
    (clone / "fails-setup").touch()
    status, _printed, asked = run(clone)
    assert (status, asked) == (1, ["setup"])
