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


@pytest.mark.parametrize("path", ["/docs", "/api/docs"])
def test_swagger_ui_works_under_its_policy(scripted: Browser, site: str, path: str) -> None:
    scripted.open(site + path)
    eventually(lambda: "/health/live" in scripted.html("body"), "the operations", seconds=30)
    scripted.click(".opblock-summary-get button.opblock-summary-control")
    eventually(lambda: "opblock-body" in scripted.html("body"), "an operation's details")
    assert not scripted.complaints()


def test_swagger_ui_sends_requests(scripted: Browser, site: str) -> None:
    scripted.open(site + "/docs#/Operations/live")
    eventually(lambda: "Try it out" in scripted.html("body"), "the operation", seconds=30)
    scripted.click("button.try-out__btn")
    eventually(lambda: "Execute" in scripted.html("body"), "its form")
    scripted.click("button.execute")
    eventually(lambda: "x-content-type-options: nosniff" in scripted.html(".live-responses-table"), "the answer")
    assert not scripted.complaints()
