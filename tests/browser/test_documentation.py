"""The page of the API's documentation, in a browser that keeps its policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import unexpected, watch


@pytest.mark.parametrize("path", ["/docs", "/api/docs"])
def test_swagger_ui_works_under_its_policy(browser: Browser, site: str, complaints: list[str], path: str) -> None:
    with browser.new_context() as context:
        page = watch(context.new_page(), complaints)
        page.goto(site + path)
        # Of the first area: further ones are drawn when they are scrolled to.
        operation = page.locator("#operations-Users-getMe")
        operation.locator("button.opblock-summary-control").click()
        operation.locator(".try-out__btn").click()
        operation.locator(".execute").click()
        expect(operation.locator(".live-responses-table")).to_contain_text("nosniff")
    # The answer to a request without credentials, and the page has no icon.
    assert not unexpected(complaints)
