"""How the component looks and is reached: widths, colours, languages, directions, keyboards; and axe's rules."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, ViewportSize, expect

from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, crossing, keep_picture
from tests.browser.live import Stage
from tests.browser.test_component_groups import gather
from tests.browser.visit import Keyboard, Visit
from tests.browser.walk import booking_states, session_states
from workflows.accounts.records import User

# Settings under which a page is looked at; each can change under an open page.
WIDE, NARROW = (ViewportSize(width=width, height=height) for width, height in (DESKTOP, PHONE))
NARROWEST = ViewportSize(width=280, height=640)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "forced-colours": {"forced_colors": "active"},
    "phone": {"viewport": NARROW},
}
# Other languages differ in how much room they take, and other variants in which parts they have.
FEW_LOOKS = ("light", "phone")
WALKS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "english": ({}, tuple(LOOKS)),
    "german": ({"lang": "de"}, FEW_LOOKS),
    "arabic": ({"lang": "ar", "dir": "rtl"}, FEW_LOOKS),
}
# Of the other states, a picture in one look tells enough.
PICTURED_IN_ALL_LOOKS = {"calendar", "form", "lost", "session-scheduled", "session-completing"}
# Axe pauses before each rule for as good as nothing, which an installed clock makes four milliseconds.
WITHOUT_PAUSES = f"""((setTimeout) => {{ {AXE_SCRIPT}
}})((run, ms, ...given) => ms ? window.setTimeout(run, ms, ...given) : queueMicrotask(() => run(...given)))"""
RUN_AXE = """async (isWhole) => {
  const options = isWhole ? {} : { runOnly: ["color-contrast", "target-size", "scrollable-region-focusable"] };
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...options });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}"""

# Sentences whose full stop does not stand behind them.
TORN = """() => {
  const texts = document.createTreeWalker(document.querySelector("session-booking").shadowRoot, NodeFilter.SHOW_TEXT);
  const found = { sentences: 0, torn: [] };
  for (let text; (text = texts.nextNode()); ) {
    const sentence = text.data.trimEnd();
    if (!/[a-z][.…]$/.test(sentence) || !text.parentElement.checkVisibility()) continue;
    const [last, stop] = [2, 1].map((fromEnd) => {
      const range = document.createRange();
      range.setStart(text, sentence.length - fromEnd);
      range.setEnd(text, sentence.length - fromEnd + 1);
      return range.getBoundingClientRect();
    });
    found.sentences++;
    if (stop.top === last.top && stop.left < last.left) found.torn.push(sentence);
  }
  return found;
}"""

# Words of which letters stand in another line, though nothing divides them; the language's own hyphens are left out,
# which not every browser has.
TORN_WORDS = r"""() => {
  const { shadowRoot } = document.querySelector("session-booking");
  const plain = new CSSStyleSheet();
  plain.replaceSync("* { hyphens: manual !important; }");
  shadowRoot.adoptedStyleSheets.push(plain);
  const texts = document.createTreeWalker(shadowRoot, NodeFilter.SHOW_TEXT);
  const torn = [];
  for (let text; (text = texts.nextNode()); ) {
    if (!text.parentElement.checkVisibility() || text.parentElement.closest(".visually-hidden, option")) continue;
    for (const { 0: word, index } of text.data.matchAll(/[\p{L}\p{N}]{2,}/gu)) {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const tops = [...range.getClientRects()].map(({ top }) => Math.round(top));
      if (new Set(tops).size > 1) torn.push(word);
    }
  }
  shadowRoot.adoptedStyleSheets.pop();
  return torn;
}"""


@pytest.fixture
def look() -> dict[str, Any]:
    """A browser in which nothing moves, so that each look is there at once."""
    return {"reduced_motion": "reduce"}


def wear(page: Page, look: str) -> None:
    media = {"color_scheme": "light", "forced_colors": "none", **LOOKS[look]}
    page.set_viewport_size(media.pop("viewport", WIDE))
    page.emulate_media(**media)


def broken_rules(page: Page, *, whole: bool) -> list[str]:
    """Violations of axe's rules: of all rules, or of the rules that depend on the look."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(WITHOUT_PAUSES)
    found: list[str] = page.evaluate(RUN_AXE, whole)
    return found


def narrow(page: Page) -> list[str]:
    """Texts that are torn or cross the sides on a small phone, with a page's margins around the component."""
    page.set_viewport_size(NARROWEST)
    found = [f"crosses the sides: {each}" for each in crossing(page)]
    return [*found, *(f"torn: {each}" for each in page.evaluate(TORN_WORDS))]


class Examination:
    """Looks at each state of a page in several looks, and requires in the end that nothing was wrong."""

    def __init__(self, visit: Visit, looks: tuple[str, ...], pictures: Path | None) -> None:
        self._visit, self._looks, self._pictures = visit, looks, pictures
        self.wrong: list[str] = []

    def look_at(self, state: str) -> None:
        """Examine a state, and keep pictures of it where they are wanted."""
        page, variant = self._visit.page, self._visit.variant
        for look in self._looks:
            wear(page, look)
            found = [f"crosses the sides: {each}" for each in crossing(page)]
            if look == "phone":
                found += narrow(page)
                wear(page, look)
            found += broken_rules(page, whole=look == "light")
            self.wrong += [f"{state}, {look}: {each}" for each in found]
            in_all = variant == "enhanced" and state in PICTURED_IN_ALL_LOOKS
            if self._pictures and (look == "light" or in_all):
                keep_picture(page, self._pictures / "component", f"{variant}-{state}-{look}")
        wear(page, "light")


@pytest.fixture(params=WALKS)
def walk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def examination(visit: Visit, walk: str, variant: str, pictures: Path | None) -> Examination:
    """The examination of a walk; pictures are kept of the English one."""
    looks = WALKS[walk][1] if variant == "enhanced" else FEW_LOOKS
    return Examination(visit, looks, pictures if walk == "english" else None)


@pytest.mark.parametrize(
    ("walk", "variant"),
    [
        *(("english", variant) for variant in ("basic", "enhanced", "realtime")),
        # With the words of all parts.
        *((walk, "realtime") for walk in ("german", "arabic")),
    ],
)
def test_every_state_of_booking(visit: Visit, walk: str, examination: Examination) -> None:
    visit.page.clock.install()
    for state in booking_states(visit, **WALKS[walk][0]):
        examination.look_at(state)
        if walk == "german":
            expect(visit.page.locator("[part~=root]")).to_have_attribute("lang", "de")
    assert not examination.wrong, "\n".join(examination.wrong)


@pytest.mark.parametrize("variant", ["enhanced"])
def test_every_state_of_a_session(visit: Visit, walk: str, examination: Examination) -> None:
    for state in session_states(visit, **WALKS[walk][0]):
        examination.look_at(state)
    assert not examination.wrong, "\n".join(examination.wrong)


@pytest.mark.parametrize("variant", ["enhanced"])
@pytest.mark.parametrize("lang", ["de", "en"])
def test_what_is_opened_fits_on_a_small_phone(visit: Visit, stage: Stage, lang: str, pictures: Path | None) -> None:
    page = visit.page
    groups = [gather(stage, *people, capacity=capacity, start=when) for people, capacity, when in _groups(stage)]
    stage.as_mentee.post(f"/group-sessions/{groups[3].booking.id}/waitlist")
    stage.as_rival.post(f"/group-sessions/{groups[3].booking.id}/leave")
    visit.open(stage.instant, lang=lang)
    expect(page.locator("[part~=groups] li")).to_have_count(4)
    for details in page.locator("[part~=groups] summary, [part~=refused] summary").all():
        details.click()
    expect(page.locator("[part~=groups] [part~=primary]")).to_have_count(4)
    expect(page.locator("[part~=refused] li").first).to_be_visible()
    found = narrow(page)
    if pictures:
        keep_picture(page, pictures / "component", f"opened-{lang}")
    visit.open_as_visitor(stage.instant, lang=lang)
    visit.show_day()
    visit.slot(stage.slots()[0]).click()
    expect(visit.primary).to_be_enabled()
    found += narrow(page)
    if pictures:
        keep_picture(page, pictures / "component", f"sign-in-{lang}")
    assert found == []


def _groups(stage: Stage) -> list[tuple[tuple[User, ...], int, datetime]]:
    """People, places and start of groups: open, with an own place, full, and waited for."""
    people = ((), (stage.mentee,), (stage.rival,), (stage.rival,))
    start = factories.this_hour() + timedelta(days=3)
    return [(each, 2 if at < 2 else 1, start + timedelta(hours=2 * at)) for at, each in enumerate(people)]


@pytest.mark.parametrize("variant", ["basic"])
def test_english_sentences_are_whole_in_pages_from_right(visit: Visit, stage: Stage) -> None:
    start, page = stage.slots()[0], visit.page
    visit.open(stage.on_request, lang="ar", dir="rtl")
    visit.choose(start)
    found = page.evaluate(TORN)
    assert found["sentences"] > 0
    assert found["torn"] == []
    # They begin at the page's side all the same.
    assert page.locator("[part~=form]").evaluate("form => getComputedStyle(form).textAlign") == "right"


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
