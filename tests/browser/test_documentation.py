"""The page of the API's documentation, in a browser that keeps its policy."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import unexpected, watch


def test_swagger_ui_works_under_its_policy(browser: Browser, site: str, complaints: list[str]) -> None:
    with browser.new_context() as context:
        page = watch(context.new_page(), complaints)
        page.goto(f"{site}/api/docs")
        expect(page).to_have_title("Tutelage API")
        areas = page.request.get(f"{site}/openapi.json").json()["tags"]
        expect(page.locator(".opblock-tag > a")).to_have_text([area["name"] for area in areas])
        page.get_by_placeholder("Filter by tag or path").fill("Users")
        expect(page.locator(".opblock-tag")).to_have_count(1)
        page.locator("#operations-tag-Users").click()
        operation = page.locator("#operations-Users-getMe")
        operation.locator("button.opblock-summary-control").click()
        operation.locator(".try-out__btn").click()
        operation.locator(".execute").click()
        expect(operation.locator(".live-responses-table")).to_contain_text("nosniff")
    # The answer to a request without credentials.
    assert not unexpected(complaints)


@pytest.mark.chromium
def test_the_documentation_follows_the_colour_scheme(browser: Browser, site: str, complaints: list[str]) -> None:
    with browser.new_context() as context:
        page = watch(context.new_page(), complaints)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{site}/docs")
            assert page.evaluate("document.documentElement.classList.contains('dark-mode')") == (scheme == "dark")
        page.get_by_role("link", name="Guides").click()
        page.get_by_role("link", name="Sessions", exact=True).click()
        expect(page).to_have_title("Sessions · Tutelage")
        expect(page.get_by_role("img").first).to_have_js_property("complete", True)
    assert not complaints
