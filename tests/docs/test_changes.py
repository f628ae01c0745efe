"""Tests of the pages for contributors: each change there leaves the guards green, and each guard misses its file."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.plan import ROOT
from tests import servers
from tests.docs.pages import DOCS, blocks

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
COPIED = (
    *("api", "cli", "config", "infrastructure", "migrations", "models", "workers", "workflows", "tests", "docs"),
    *("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ".env.example"),
)
NEWEST = max(int(file.name[:4]) for file in (ROOT / "migrations/versions").glob("[0-9]*.py"))
MIGRATION = f"migrations/versions/{NEWEST + 1:04}_"
MIGRATIONS = "tests/architecture/test_migrations.py::test_models_and_migrations_agree"
LISTING = "tests/api/test_listings.py::test_a_mentor_publishes_a_listing_with_its_defaults"
TERMS = "tests/integration/test_terms.py"
IMPORTS = "tests/api/test_imports.py::test_an_import_takes_what_the_api_takes"
PERMITTED = "tests/contract/test_permissions.py::test_the_tables_and_the_application_have_the_same_routes"
AUDITED = "tests/contract/test_audited.py"
TEXTS = "tests/unit/test_texts.py"
CATALOGUES = "tests/unit/test_catalogues.py"
TABLES = "tests/docs/test_tables.py"


@dataclass(frozen=True)
class Change:
    """A change that a page shows: its n-th block of `diff`, and the test that misses each of its files.

    `+++` begins a file, `@@` a further place in it. A place's former lines are unique in the file. NEWEST is the
    newest migration's number, NEXT the one after it.
    """

    page: Path
    number: int
    guards: dict[str, str]

    def texts(self, root: Path) -> dict[str, str]:
        """Each file of the change, as it is after it."""
        texts = {}
        shown = blocks(self.page, "diff")[self.number]
        numbered = shown.replace("NEWEST", f"{NEWEST:04}").replace("NEXT", f"{NEWEST + 1:04}")
        for part in numbered.split("+++ ")[1:]:
            name, _, body = part.partition("\n")
            file = root / name
            text = file.read_text() if file.exists() else ""
            for place in body.split("@@\n"):
                lines = [line or " " for line in place.splitlines()]
                before = "".join(f"\n{line[1:]}" for line in lines if line[0] != "+") + "\n"
                after = "".join(f"\n{line[1:]}" for line in lines if line[0] != "-") + "\n"
                assert not text or text.count(before) == 1, f"{name} has not exactly one place like this:{before}"
                text = text.replace(before, after) if text else after[1:]
            texts[name] = text
        return texts


CHANGES = {
    "route": Change(
        CONTRIBUTING,
        0,
        {
            "workflows/catalog/listings.py": PERMITTED,
            "api/resources/catalog.py": PERMITTED,
            "docs/permissions.md": PERMITTED,
            "docs/audit.md": AUDITED,
        },
    ),
    "field": Change(
        CONTRIBUTING,
        1,
        {
            "models/catalog.py": MIGRATIONS,
            f"{MIGRATION}preparation_of_listings.py": MIGRATIONS,
            "workflows/catalog/listings.py": LISTING,
            "api/schemas/catalog.py": LISTING,
            "workflows/imports/lines.py": IMPORTS,
            "tests/api/test_listings.py": LISTING,
        },
    ),
    "term": Change(
        CONTRIBUTING,
        2,
        {
            "models/terms.py": MIGRATIONS,
            f"{MIGRATION}recorded_sessions.py": MIGRATIONS,
            "workflows/terms/terms.py": TERMS,
            "api/schemas/terms.py": LISTING,
            "tests/integration/test_terms.py": TERMS,
            "workflows/imports/lines.py": IMPORTS,
            "tests/api/test_listings.py": LISTING,
        },
    ),
    "notification": Change(
        DOCS / "notifications.md",
        0,
        {
            "workflows/notifications/kinds.py": TABLES,
            "workflows/notifications/templates/group_session_full.txt.j2": TEXTS,
            "workflows/effects/notifications.py": TABLES,
            "workflows/locales/messages.pot": CATALOGUES,
            "workflows/locales/de.po": CATALOGUES,
            "docs/notifications.md": TABLES,
        },
    ),
}


@pytest.fixture(scope="module")
def shared_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the guards read, for all changes in turn."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        if (ROOT / name).is_dir():
            # A compiled module has another name while a process beside this one writes it.
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("pictures", "*.pyc.*"))
        else:
            shutil.copy2(ROOT / name, folder)
    return folder


@pytest.fixture
def copy(shared_copy: Path) -> Iterator[Path]:
    """The copy without a change; afterwards, the files that a change may write are as they were."""
    yield shared_copy
    for name in {name for change in CHANGES.values() for name in change.guards}:
        if (ROOT / name).exists():
            # With its time, by which Python knows the compiled file.
            shutil.copy2(ROOT / name, shared_copy / name)
        else:
            (shared_copy / name).unlink(missing_ok=True)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_from_its_page_leaves_the_guards_green(copy: Path, change: Change) -> None:
    texts = change.texts(copy)
    assert set(texts) == set(change.guards)
    for name, text in texts.items():
        (copy / name).write_text(text)
    result = _run(copy, *dict.fromkeys(change.guards.values()))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("change", "missing"),
    # One file for each guard: a run of all files would take minutes.
    [
        pytest.param(change, file, id=file)
        for change, file in {
            guard: (change, file) for change in CHANGES.values() for file, guard in change.guards.items()
        }.values()
    ],
)
def test_each_guard_misses_a_file_of_a_change(copy: Path, change: Change, missing: str) -> None:
    for name, text in change.texts(copy).items():
        if name != missing:
            (copy / name).write_text(text)
    result = _run(copy, "-x", change.guards[missing])
    # The codes of failed tests, and of a suite that cannot even be loaded.
    assert result.returncode in (1, 2, 4), result.stdout


def _run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy, whose modules precede the installed ones."""
    # Without the plug-ins of other tests: a third of a processor second in each of these runs.
    plugins = "addopts=--disable-plugin-autoload -p xdist -p timeout"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-o", plugins, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    if any(copy.glob(f"{MIGRATION}*")):
        # Its template has another schema.
        del environment[servers.POSTGRES_VARIABLE]
    return subprocess.run(command, cwd=copy, env=environment, check=False, stdout=subprocess.PIPE, text=True)
