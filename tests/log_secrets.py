"""pytest plug-in: all log output of a run is searched for secrets, and what is found fails the run.

Each process of the tests (xdist's workers, or the one there is) looks through what its tests printed and logged, and
through the log files that the systems they started left in its temporary folder, when its last test has ended.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from config.settings import Settings

# The shapes of secrets: a JWT, a webhook's secret, a password in a URL, a signed link, a feed.
LOOKS = re.compile(
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}|whsec_[\w+/=-]{16,}|whsk_[\w+/=-]{16,}"
    r"|://[^/@\s:\"'\[\]]+:[^/@\s:\"'\[\]]+@(?!$)|/(?:act|unsubscribe)/[\w-]{8,}\.[\w.-]{8,}|/calendar/[\w-]{20,}\.ics"
)
LOG_FILE = re.compile(r"\.(log|out)(\.1)?$")
SECRET_NAMES = re.compile(r"SECRET|PASSWORD|TOKEN|_KEYS?$|BASIC_AUTH")
# Names the folder of the servers that all tests share.
LOGS_VARIABLE = "TUTELAGE_TEST_LOGS"
MIN_CHARACTERS = 12
MAX_SHOWN = 20

_known: set[str] = set()
_found: list[str] = []


def remember_secret(*secrets: str | None) -> None:
    _known.update(secret for secret in secrets if secret and len(secret) >= MIN_CHARACTERS)


def remember_settings(settings: Settings) -> None:
    """Remember the values of the settings that are not shown."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        if not each.repr:
            remember_secret(*([value] if isinstance(value, str) else value or ()))


def remember_environment(variables: Mapping[str, str]) -> None:
    """Remember the values of variables whose names say that they are secret."""
    for name, value in variables.items():
        if SECRET_NAMES.search(name):
            remember_secret(*value.split(","))


def search(text: str, where: str) -> None:
    """Keep what is found in a text of this origin; the secret itself is not shown."""
    # Logs of a whole run have a million lines, of which none is to be found.
    if not LOOKS.search(text) and not any(secret in text for secret in _known):
        return
    for line in text.splitlines():
        looks = LOOKS.search(line)
        held = looks[0] if looks else next((secret for secret in _known if secret in line), None)
        if held is not None:
            _found.append(f"{where}: {line.replace(held, '[the secret]')[:300]}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for title, text in report.sections:
        search(text, f"{title}, {report.nodeid}")


@pytest.fixture(scope="session", autouse=True)
def _no_secret_in_logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set up before and torn down after all that a process shares, running systems included."""
    yield
    own = tmp_path_factory.getbasetemp()
    # Of the embedded servers of running systems.
    remember_secret(*(file.read_text().strip() for file in own.glob("*/**/postgres/password")))
    _search_files(own)
    if folder := os.environ.get(LOGS_VARIABLE):
        _search_files(Path(folder))
    assert not _found, "Log output holds secrets:\n" + "\n".join(_found[:MAX_SHOWN])


def _search_files(folder: Path) -> None:
    for path, folders, names in os.walk(folder):
        if "PG_VERSION" in names:
            # A database's own files are thousands.
            folders.clear()
        for name in names:
            file = Path(path) / name
            if (name in ("log", "out") or LOG_FILE.search(name)) and file.is_file():
                search(file.read_text(errors="replace"), str(file.relative_to(folder)))
