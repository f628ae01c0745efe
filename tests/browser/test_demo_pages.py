"""The demo pages in a real browser: nothing violates their policy, people book, and pages open without a connection."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from api.pages.demo.people import DemoPeople, find_demo_people
from cli.demonstration.component import book_as_a_person
from cli.seeding.component import add_demo_people
from models.engine import create
from tests.browser.conftest import WAIT_MS, require_fitting, unexpected, watch
from tests.browser.live import Live
from workflows.events import subscriptions


@pytest.fixture
def people(live: Live) -> DemoPeople:
    """The people of the demo, as `tutelage seed` makes them."""
    # As in a process of its own: applications of other tests have chosen which effects are wanted, and what they
    # recorded is kept with the connections.
    subscriptions.reset_policy()
    own_engine = create(live.engine.url.render_as_string(hide_password=False))
    add_demo_people(own_engine, now=datetime.now(UTC))
    own_engine.dispose()
    with live.engine.connect() as db:
        found = find_demo_people(db)
    assert found is not None
    return found


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    """A page; in the end, nothing was violated and no error was left uncaught."""
    yield watch(context.new_page(), complaints)
    assert not unexpected(complaints)


def demo(live: Live, path: str = "") -> str:
    return f"{live.api}/component/demo{path}"


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("query", ["", "?as=visitor&lang=de&dir=rtl&theme=dark"])
def test_free_times_are_shown_under_the_policy(page: Page, live: Live, variant: str, query: str) -> None:
    page.goto(demo(live, f"/{variant}{query}"))
    expect(page.locator("[part~=slot]").first).to_be_visible()
    if variant == "realtime":
        expect(page.locator("[part~=connection]")).to_be_visible()
    require_fitting(page)


def test_a_person_books_on_a_demo_page(page: Page, live: Live, people: DemoPeople) -> None:
    listing = next(offer for offer in people.offers if offer.is_instant)
    page.goto(demo(live, f"/basic?listing={listing.id}"))
    with page.expect_response("**/holds"):
        page.locator("[part~=slot]").first.click()
    page.locator("[name=title]").fill("A first talk")
    page.locator("[part~=form] [part~=primary]").click()
    expect(page.locator("#events li", has_text="booked")).to_be_visible()


@pytest.mark.chromium
def test_make_demo_books_in_a_browser(pytestconfig: pytest.Config, live: Live, people: DemoPeople) -> None:
    program = shutil.which(str(pytestconfig.getoption("browser") or "chromium"))
    assert program
    # Playwright runs once in a thread; this one has it already.
    with ThreadPoolExecutor(1) as pool:
        booked = pool.submit(book_as_a_person, live.api, people, program, timeout_seconds=WAIT_MS / 1000)
        assert booked.result() == "Your session is booked"


@pytest.mark.chromium
@pytest.mark.usefixtures("people")
def test_the_demo_opens_without_a_connection(page: Page, live: Live, context: BrowserContext) -> None:
    page.goto(demo(live, "/realtime"))
    expect(page.locator("[part~=slot]").first).to_be_visible()
    page.wait_for_function("() => navigator.serviceWorker.ready.then((found) => found.active.state === 'activated')")
    session = context.new_cdp_session(page)
    told: Any = session.send("Page.getAppManifest")
    assert told["errors"] == []
    found = {each["errorId"] for each in session.send("Page.getInstallabilityErrors")["installabilityErrors"]}
    # A profile of a test is a private one.
    assert found <= {"in-incognito"}
    context.set_offline(True)
    page.reload()
    expect(page.get_by_role("heading", name="Variant realtime")).to_be_visible()
    expect(page.locator("session-booking [part]").first).to_be_attached()


@pytest.mark.chromium
def test_a_page_stands_in_no_frame_of_another_site(page: Page, live: Live, complaints: list[str]) -> None:
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.set_content(f'<iframe src="{demo(live)}"></iframe>', wait_until="commit")
    complaints.clear()
