"""The page of the API's documentation, in a browser that keeps its policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import DESKTOP, Browser
from tests.eventually import eventually


@pytest.fixture
def scripted(browser: Browser) -> Iterator[Browser]:
    """The browser with scripts, for as long as the test."""
    browser.size(*DESKTOP)
    browser.events.clear()
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    yield browser
    browser.call("Emulation.setScriptExecutionDisabled", value=True)


# Of the first area: further ones are drawn when they are scrolled to.
OPERATION = "#operations-Users-getMe"


@pytest.mark.parametrize("path", ["/docs", "/api/docs"])
def test_swagger_ui_works_under_its_policy(scripted: Browser, site: str, path: str) -> None:
    scripted.open(site + path)
    eventually(lambda: scripted.has(OPERATION), "the operations", seconds=30)
    scripted.click(f"{OPERATION} button.opblock-summary-control")
    eventually(lambda: scripted.has(f"{OPERATION} .try-out__btn"), "the operation", seconds=30)
    scripted.click(f"{OPERATION} .try-out__btn")
    eventually(lambda: scripted.has(f"{OPERATION} .execute"), "its form", seconds=30)
    scripted.click(f"{OPERATION} .execute")
    eventually(lambda: scripted.has(f"{OPERATION} .live-responses-table"), "the answer", seconds=30)
    assert "nosniff" in scripted.html(f"{OPERATION} .live-responses-table")
    # The answer to a request without credentials, and the page has no icon.
    assert not [each for each in scripted.complaints() if not each.startswith("Failed to load resource")]
