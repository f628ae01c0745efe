"""Settings of the command line under test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.settings import settings


@pytest.fixture
def own_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The commands of a test use the test's database, and print wide tables."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "250")
    settings.cache_clear()
    yield
    settings.cache_clear()
