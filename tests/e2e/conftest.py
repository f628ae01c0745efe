"""The whole system, for tests that only speak HTTP with it and read what it leaves behind."""

import pytest

from tests.cli.running import Up
from tests.speaking import Caller


@pytest.fixture
def api(up: Up) -> Caller:
    return Caller(str(up.run()["api"]["url"]))
