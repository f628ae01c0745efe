"""The whole system, for tests that only speak HTTP with it and read what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.system import System, running_system
from tests.speaking import Caller


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system with every part but Flower."""
    with running_system(data_dir=tmp_path_factory.mktemp("e2e") / "data", without=("flower",)) as system:
        yield system


@pytest.fixture
def api(system: System) -> Caller:
    """Its door."""
    return Caller(str(system.run["api"]["url"]))
