"""The component in the page to copy, and by its other names."""

import pytest
from playwright.sync_api import Page, expect

from cli.plan import ROOT
from tests.browser.live import PUBLISHABLE_KEY, Stage
from tests.browser.visit import Visit

EXAMPLE = ROOT / "component" / "examples" / "booking.html"


def book_first_time(page: Page) -> None:
    page.locator("[part~=slot]").first.click()
    expect(page.locator(".hold[role=timer]")).to_be_visible()
    page.locator("[part~=primary]").click()
    expect(page.locator("[data-focus]")).to_have_text("Your session is booked")


@pytest.mark.parametrize("variant", ["enhanced"])
def test_the_page_to_copy_books(visit: Visit, stage: Stage) -> None:
    page, host = visit.page, stage.live.host
    changed = {
        "https://booking.example.org": host.api,
        "0190b6a2-7c1e-7d10-8a44-97ab5cf5cfd6": str(stage.mentor.id),
        "tpk_4f0d1c7a9b2e8d6350af41c2": PUBLISHABLE_KEY,
        "/booking-token": f"/token/{stage.mentee.id}",
    }
    source = EXAMPLE.read_text()
    for given, own in changed.items():
        assert given in source
        source = source.replace(given, own)
    host.files["booking.html"] = source
    page.goto(f"{stage.live.origin}/files/booking.html")
    page.get_by_role("radio", name="Mock interview").check()
    book_first_time(page)
    expect(page.locator("#next a")).to_have_attribute("href", f"/sessions/{stage.session_id()}")


@pytest.mark.parametrize(
    ("element", "variant"),
    [
        ("session-booking-form", "basic"),
        ("enhanced-session-booking", "enhanced"),
        ("realtime-session-booking", "realtime"),
    ],
)
def test_it_has_other_names(visit: Visit, stage: Stage, element: str) -> None:
    visit.open(stage.instant, element=element)
    visit.choose(stage.slots()[0])
    visit.primary.click()
    visit.expect_booked()
    assert visit.told("onSuccess")
