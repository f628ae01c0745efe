"""How the component looks and is reached: widths, colours, languages, directions, keyboards; and axe's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, crossing, keep_picture
from tests.browser.live import Stage
from tests.browser.visit import Visit
from tests.browser.walk import booking_states, session_states

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": PHONE[0], "height": PHONE[1]}, "has_touch": True},
    "forced-colours": {"forced_colors": "active"},
    "german": {"locale": "de-DE"},
    "right-to-left": {},
}
ATTRIBUTES = {"german": {"lang": "de"}, "right-to-left": {"dir": "rtl", "lang": "ar"}}
TABS = 80
# Of the other states, a picture in one look tells enough.
PICTURED_IN_ALL_LOOKS = {"calendar", "form", "lost", "session-scheduled", "session-completing"}


@pytest.fixture(params=LOOKS)
def name(request: pytest.FixtureRequest) -> str:
    """The look's name."""
    return str(request.param)


@pytest.fixture
def look(name: str) -> dict[str, Any]:
    """What is different about the browser."""
    return LOOKS[name]


@pytest.fixture
def looked_at(visit: Visit, name: str, pictures: Path | None) -> Iterator[Callable[[str], None]]:
    """Requires of each state of the page that it fits and breaks none of axe's rules; keeps a picture of it."""
    axe, wrong = Axe(), list[str]()

    def look_at(state: str) -> None:
        found = [f"crosses the sides: {each}" for each in crossing(visit.page)]
        for rule in axe.run(visit.page).response["violations"]:
            found += [f"{rule['id']}: {node['html']} {node['failureSummary']}" for node in rule["nodes"]]
        wrong.extend(f"{state}: {each}" for each in found)
        shows_more = visit.variant == "enhanced" and state in PICTURED_IN_ALL_LOOKS
        if pictures and (name == "light" or shows_more):
            keep_picture(visit.page, pictures / "component", f"{visit.variant}-{state}-{name}")

    yield look_at
    assert not wrong, "\n".join(wrong)


def test_every_state_of_booking(visit: Visit, name: str, looked_at: Callable[[str], None]) -> None:
    visit.page.clock.install()
    for state in booking_states(visit, **ATTRIBUTES.get(name, {})):
        looked_at(state)
        if name == "german":
            expect(visit.page.locator("[part~=root]")).to_have_attribute("lang", "de")


@pytest.mark.parametrize("variant", ["enhanced"])
def test_every_state_of_a_session(visit: Visit, name: str, looked_at: Callable[[str], None]) -> None:
    for state in session_states(visit, **ATTRIBUTES.get(name, {})):
        looked_at(state)


class Keyboard:
    """A page without a mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def reach(self, target: Locator) -> None:
        """Go on by the tab key until that has the focus, which can be seen."""
        for _ in range(TABS):
            self._page.keyboard.press("Tab")
            if target.evaluate("at => at.getRootNode().activeElement === at"):
                outline = target.evaluate("at => getComputedStyle(at).outlineStyle")
                assert outline != "none", "the focus cannot be seen"
                return
        raise AssertionError(f"The tab key does not reach {target}.")

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self._page.keyboard.press(key)


@pytest.mark.parametrize("name", ["light"])
def test_booking_by_the_keyboard_alone(visit: Visit, stage: Stage) -> None:
    start = stage.slots()[0]
    keyboard, page = Keyboard(visit.page), visit.page
    visit.open(stage.instant)
    chosen = page.locator("[part~=day][tabindex='0']")
    expect(page.locator("[aria-selected=true]")).to_have_count(1)
    keyboard.reach(chosen)
    today = str(chosen.get_attribute("data-day"))
    if today != str(start.date()):
        keyboard.press("ArrowRight")
    expect(visit.day(start.date())).to_be_focused()
    keyboard.press("Enter")
    keyboard.reach(visit.slot(start))
    keyboard.press("Enter")
    expect(visit.heading).to_be_focused()
    keyboard.reach(page.get_by_role("textbox", name="Notes"))
    page.keyboard.type("How do I prepare?")
    keyboard.reach(visit.primary)
    keyboard.press("Enter")
    visit.expect_booked()
    expect(visit.heading).to_be_focused()
    assert stage.count_bookings() == 1
