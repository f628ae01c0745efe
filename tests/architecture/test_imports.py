"""Tests of who imports whom: the contracts hold, each of them can break, and what they cannot see is held here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT, contracts, files, imported, project

# They look at the product from outside, and import from it what they like.
BESIDE_THE_PRODUCT = {"tests", "bench"}
# Lines that break a contract: the beginning of its name, a file, and the line.
AREAS = "Areas import areas of lower rows only"
BREAKING = [
    ("Imports run down only", "workflows/kernel/clock.py", "import infrastructure.broker"),
    ("The settings stand alone", "config/sealing.py", "import models.base"),
    ("Business rules and tables know no server", "workflows/kernel/clock.py", "import celery"),
    (AREAS, "workflows/bookings/actions.py", "import workflows.sessions.actions"),
    (AREAS, "workflows/events/record.py", "def _later(): from workflows.audit.log import write_entries"),
    ("Migrations change tables by themselves", "cli/migrate.py", "import migrations.env"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product's code, to be broken."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """The result of import-linter for the code in that folder."""
    program = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_every_contract_holds_and_each_can_break(tree: Path) -> None:
    names = [contract["name"] for contract in contracts()]
    assert all(any(name.startswith(begin) for begin, _place, _line in BREAKING) for name in names)
    clean = lint(tree)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert f"Contracts: {len(names)} kept, 0 broken." in clean.stdout


@pytest.mark.parametrize(("contract", "place", "line"), BREAKING)
def test_a_contract_is_broken_by_an_import_against_it(tree: Path, contract: str, place: str, line: str) -> None:
    file = tree / place
    source = file.read_text()
    file.write_text(f"{source}\n{line}\n")
    try:
        broken = lint(tree)
    finally:
        file.write_text(source)
    assert broken.returncode != 0
    (name,) = [each["name"] for each in contracts() if each["name"].startswith(contract)]
    told = [line for line in broken.stdout.splitlines() if line.startswith(name)]
    assert any("BROKEN" in line for line in told), broken.stdout


def test_every_area_has_its_row(tree: Path) -> None:
    area = tree / "workflows" / "new_area"
    area.mkdir()
    (area / "__init__.py").touch()
    try:
        refused = lint(tree)
    finally:
        shutil.rmtree(area)
    assert refused.returncode != 0
    assert "new_area" in refused.stdout


def test_the_table_of_areas_has_the_rows_of_the_contract() -> None:
    table = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    (rows,) = [contract["layers"] for contract in contracts() if contract["name"].startswith(AREAS)]
    numbered = zip(range(len(rows), 0, -1), rows, strict=True)
    assert table == [(str(number), area) for number, row in numbered for area in row.split(" | ")]


def test_every_top_level_package_stands_in_a_contract() -> None:
    folders = {file.parent.name for file in ROOT.glob("*/__init__.py")} - BESIDE_THE_PRODUCT
    assert folders == set(PACKAGES)
    assert set(project()["tool"]["importlinter"]["root_packages"]) == folders
    named = {
        module.partition(".")[0]
        for contract in contracts()
        for key in ("layers", "modules", "source_modules", "forbidden_modules")
        for module in contract.get(key, [])
    }
    assert folders <= named


def test_the_product_knows_nothing_of_what_tests_or_measures_it() -> None:
    for file in files():
        assert not {name.partition(".")[0] for name in imported(file)} & BESIDE_THE_PRODUCT, file


def test_tests_know_nothing_of_the_bench() -> None:
    for file in set((ROOT / "tests").rglob("*.py")) - set((ROOT / "tests/bench").rglob("*.py")):
        assert not [name for name in imported(file) if name.partition(".")[0] == "bench"], file


def test_nothing_imports_a_database_effect() -> None:
    # Outbound effects are named where their deliveries are recorded, and their messages where they are sent.
    outbound = "workflows.effects.webhooks"
    for file in [*files(), *(ROOT / "tests").rglob("*.py")]:
        # Most are not read as Python for it.
        if "workflows.effects" not in file.read_text():
            continue
        names = {name for name in imported(file) if not name.startswith(outbound)}
        effects = {name for name in names if name.startswith("workflows.effects.")}
        assert not effects, f"{file.relative_to(ROOT)}: effects are found, not imported"


def test_only_the_effects_know_bookings_and_sessions_both() -> None:
    for file in (ROOT / "workflows").rglob("*.py"):
        names = imported(file)
        knows = {area for area in ("bookings", "sessions") if any(n.startswith(f"workflows.{area}") for n in names)}
        inside = file.parent.name in ("bookings", "sessions")
        # The deletion of an account ends what a person has of either, and an import makes both at once.
        both = file in (ROOT / "workflows/privacy/deletion.py", ROOT / "workflows/imports/history.py")
        assert len(knows) < 2 or file.parent.name == "effects" or both, file
        assert not inside or knows <= {file.parent.name}, file


# Modules that a process does not need, by the module that it starts with.
NEEDLESS = {
    # The API's application and Celery were a third of the process's memory, and most of its start.
    "cli.streams": {"api.app", "flask", "jinja2", "celery", "granian", "alembic"},
    "cli.serve": {"alembic", "mako"},
    "workers.flower": {"sqlalchemy", "psycopg", "models", "workflows.events.subscriptions", "workflows.effects"},
    # It only watches, for as long as the system runs: other processes have reached the parts by then.
    "cli.up": {"celery", "kombu", "redis", "psycopg", "sqlalchemy", "alembic", "urllib3"},
    # They read the settings, and refuse, before they import what they run.
    "cli.processes": {"sqlalchemy", "celery", "flask", "tornado", "granian"},
    "workers.command": {"celery", "sqlalchemy"},
    # Templates and transports are imported where they are configured, and at the first use.
    "workers.worker": {"alembic", "flask", "icalendar", "jinja2", "cryptography.hazmat", "urllib3"},
    # Libraries of calendars are for the process that expands them.
    "workers.transports.calendars": {"icalendar", "recurring_ical_events"},
}


def loaded_by(modules: str) -> set[str]:
    """The names of all modules that a process has which imports some."""
    program = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(loaded.stdout.split())


@pytest.mark.parametrize("modules", NEEDLESS)
def test_a_process_imports_nothing_that_it_does_not_need(modules: str) -> None:
    assert loaded_by(modules) & NEEDLESS[modules] == set()
