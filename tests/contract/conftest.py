"""The same cast and the same application as the tests of the API."""

from __future__ import annotations

from tests.api.conftest import (  # noqa: F401 - fixtures are found by name
    accepted,
    api_engine,
    bundle,
    cast,
    client,
    course,
    draft,
    engine,
    in_progress,
    product,
    reviewed,
    scheduled,
    world,
)
