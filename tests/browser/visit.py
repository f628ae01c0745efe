"""A visit: one person's page with the component, and what people do there."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from playwright.sync_api import Locator, Page, expect

from tests.browser.live import PUBLISHABLE_KEY, Stage, tomorrow
from workflows.accounts.records import Mentor, User
from workflows.catalog.listings import Listing

# Every route that books.
BOOKS = re.compile(r"/(sessions/book|bookings|bookings/individual)$")

# So often the tab key is pressed at most.
TABS = 80

# The focused element, through all shadow roots.
FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at;
}"""


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Visit:
    """A page of the site; `variant` is the component's."""

    page: Page
    stage: Stage
    variant: str

    def open(self, listing: Listing | None = None, **attributes: str) -> None:
        """Open the page as the mentee, who books; attributes have underscores for hyphens."""
        self._goto(listing, {"token-url": f"/token/{self.stage.mentee.id}"}, attributes)

    def open_as_visitor(self, listing: Listing, **attributes: str) -> None:
        self._goto(listing, {"publishable-key": PUBLISHABLE_KEY}, attributes)

    def open_session(self, session_id: UUID, by: User | Mentor | None = None, **attributes: str) -> None:
        """Open the page of a session, as the mentee or as its mentor."""
        who = by or self.stage.mentee
        url = f"/token/{who.user_id}?mentor={who.id}" if isinstance(who, Mentor) else f"/token/{who.id}"
        self._goto(None, {"token-url": url, "session": str(session_id)}, attributes)

    def _goto(self, listing: Listing | None, given: dict[str, str], attributes: dict[str, str]) -> None:
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        subject = {} if "session" in given else {"mentor": str(self.stage.mentor.id)}
        offer = {"listing": str(listing.id)} if listing else {}
        query = {"variant": self.variant, **subject, **offer, **given, **named}
        self.page.goto(f"{self.stage.live.origin}/page?{urlencode(query)}")

    def told(self, name: str, times: int = 1) -> Any:
        """The page's first or a later event of a name, or call of onSuccess; waits for it."""
        number = [name, times]
        self.page.wait_for_function("([name, times]) => told.filter(([each]) => each === name)[times - 1]", arg=number)
        return self.page.evaluate("([name, times]) => told.filter(([each]) => each === name)[times - 1][1]", number)

    def times_told(self, name: str) -> int:
        return int(self.page.evaluate("name => told.filter(([each]) => each === name).length", name))

    @property
    def primary(self) -> Locator:
        return self.page.locator("[part~=primary]")

    @property
    def heading(self) -> Locator:
        return self.page.locator("[data-focus]")

    @property
    def messages(self) -> Locator:
        return self.page.locator("[part~=message]")

    def day(self, day: date) -> Locator:
        return self.page.locator(f"[data-day='{day}']")

    def replace(self, field: Locator, text: str) -> None:
        """Replace the text of a field; Playwright's own way adds to a number in Firefox."""
        field.focus()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(text)

    def slot(self, start: datetime) -> Locator:
        return self.page.locator(f"[data-start='{stamp(start)}']")

    def show_day(self, day: date | None = None) -> None:
        """Choose a day, tomorrow unless named, in whichever month it is."""
        wanted = day or tomorrow()
        # The first free day is chosen by the component itself.
        expect(self.page.locator("[aria-selected=true]")).to_have_count(1)
        shown = date.fromisoformat(str(self.page.locator("[data-day]").first.get_attribute("data-day")))
        months = (wanted.year - shown.year) * 12 + wanted.month - shown.month
        pager = self.page.locator(".pager button")
        for _ in range(abs(months)):
            (pager.last if months > 0 else pager.first).click()
        self.day(wanted).click()
        # The page changes after the last listener of the click.
        expect(self.page.locator(f"[aria-selected=true] [data-day='{wanted}']")).to_have_count(1)

    def choose(self, start: datetime) -> None:
        self.show_day(start.date())
        self.slot(start).click()
        expect(self.page.locator("[part~=form]")).to_be_visible()
        expect(self.page.locator(".hold")).to_contain_text("kept for you for")

    def book(self, start: datetime) -> None:
        self.choose(start)
        self.page.get_by_role("textbox", name="Notes").fill("How do I prepare?")
        self.primary.click()

    def expect_taken(self, start: datetime) -> None:
        """Wait until the page, whose clock is installed, knows that a time is taken, and has marked it long enough."""
        expect(self.page.locator(f"[data-start='{stamp(start)}']:not(.taken)")).to_have_count(0)
        self.page.clock.fast_forward("00:04")
        expect(self.slot(start)).to_have_count(0)

    def expect_booked(self) -> None:
        """Wait until the page shows that there is a session."""
        expect(self.heading).to_have_text("Your session is booked")

    def focused(self) -> str:
        script = f"() => (({FOCUSED})()?.getAttribute('part') || ({FOCUSED})()?.id || '')"
        return str(self.page.evaluate(script))


class Keyboard:
    """A page without a mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def reach(self, target: Locator) -> None:
        """Go on by the tab key until that has the focus, if it has not, and require that it can be seen."""
        for _ in range(TABS):
            if target.evaluate("at => at.getRootNode().activeElement === at"):
                outline = target.evaluate("at => getComputedStyle(at).outlineStyle")
                assert outline != "none", "the focus cannot be seen"
                return
            self._page.keyboard.press("Tab")
        raise AssertionError(f"The tab key does not reach {target}.")

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)
