"""What the tests of workflows and workers may ask for besides a database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.integration.house import House


@pytest.fixture
def house(engine: Engine) -> House:
    """A worker's belongings on a database of the test's own, where everything really commits."""
    return House(engine)
