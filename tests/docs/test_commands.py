"""Tests of what the pages name: targets of make, commands, settings, routes and files, which are all there."""

import re
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cli.main import COMMANDS
from cli.plan import ROOT
from tests.application import World
from tests.docs.pages import DOCS, PAGES, README, name_of

SETTING = re.compile(r"`([A-Z][A-Z0-9]+_[A-Z0-9_]+)")
ROUTE = re.compile(r"\b(GET|POST|PATCH|PUT|DELETE) (/[a-z][\w/{}.-]*)")
FILE = re.compile(r"`((?:api|cli|config|infrastructure|migrations|models|workers|workflows|tests)/[\w/.<>*-]*)`")
# Routes of earlier systems.
THEIRS = {"/sessions/book"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_target_of_make_that_is_named_is_there(page: Path) -> None:
    for target in set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b", "\n".join(_code(page)))):
        assert _recipe(target), f"make {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_named_is_there(page: Path) -> None:
    assert set(re.findall(r"tutelage ([a-z]+)", "\n".join(_code(page)))) <= set(COMMANDS)


# Read by libraries from the environment, and the former name of a setting.
NOT_IN_ENV_FILE = {"PROMETHEUS_MULTIPROC_DIR", "FLOWER_UNAUTHENTICATED_API"}
# Tables of tests to which a new effect adds lines.
TABLES_OF_EFFECTS = {"LEFT_BEHIND", "LEFT_BY_COURSE", "LEFT_BY_MOVES", "LEFT_BY_PAYMENTS", "OF_A_BATCH", "OF_A_MENTOR"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_that_is_named_can_stand_in_env(page: Path) -> None:
    known = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(SETTING.findall(page.read_text())) - NOT_IN_ENV_FILE - TABLES_OF_EFFECTS <= known


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    for file in FILE.findall(page.read_text()):
        assert list(ROOT.glob(re.sub(r"<\w+>", "*", file))), file


def test_every_route_that_is_named_is_there(engine: Engine) -> None:
    rules = {
        (method, re.sub(r"<[^>]+>", "{}", rule.rule))
        for rule in World.on(engine).app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for page in (README, *DOCS.rglob("*.md")):
        for method, path in ROUTE.findall(page.read_text()):
            # Examples hold real ids where the table has {id}.
            plain = re.sub(r"\{\w+\}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "{}", path)
            assert (method, plain) in rules or plain in THEIRS, f"{method} {path} in {page.name}"


def _code(page: Path) -> list[str]:
    """Everything that a page shows as code, whether in a line or in a block."""
    text = page.read_text()
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def _recipe(target: str) -> list[str]:
    """The commands that make would run for a target whose environment is ready."""
    command = ["make", "--dry-run", "--no-print-directory", "--old-file=.venv/.ready", target]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
