"""The demo's last steps: a session is booked with the booking component, in a real browser where there is one."""

import shutil
from datetime import UTC, datetime
from importlib.util import find_spec
from time import monotonic

from sqlalchemy import Engine

from api.pages.demo.people import DemoPeople, find_demo_people
from cli.demonstration.booking import check_page
from cli.demonstration.run import DemoFailed, DemoRun
from cli.seeding.component import add_demo_people

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATH = "/component/demo"
SUBJECT = "Booked in a web page by the demo"


def demo_page(api_url: str) -> str:
    return f"{api_url}{PATH}"


def book_in_a_page(run: DemoRun, engine: Engine) -> None:
    """Make the people of the demo pages, and book a session in a page as a person would."""
    run.output.heading("A web page books with the component")
    add_demo_people(engine, now=datetime.now(UTC))
    with engine.connect() as db:
        people = find_demo_people(db)
    assert people is not None
    check_page(run, demo_page(run.api_url), "the booking component", "api")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    missing = missing_to_drive(program, has_driver=find_spec("playwright") is not None)
    if missing is not None or program is None:
        run.output.step(f"not booked in a browser: {missing}; open the page in a browser of yours", by="tutelage")
        return
    began = monotonic()
    with run.output.waiting("A browser books …"):
        title = book_as_a_person(run.api_url, people, program, timeout_seconds=run.timeout_seconds)
    run.output.step(f"a time is chosen and booked: “{title}”", by="browser", milliseconds=(monotonic() - began) * 1000)


def missing_to_drive(program: str | None, *, has_driver: bool) -> str | None:
    """The part that is missing to drive a browser, with how to install it; None if there is none."""
    browser = "no Chromium is installed (Debian: apt install chromium)"
    driver = "its driver, Playwright, is not installed (make .venv/.browser-ready)"
    if program is None:
        return browser if has_driver else f"{browser}, and {driver}"
    return None if has_driver else f"there is a Chromium, but {driver}"


def book_as_a_person(api_url: str, people: DemoPeople, program: str, *, timeout_seconds: float) -> str:
    """Book the first free time of an instant listing; returns the heading of the last page.

    Args:
        program: a Chromium.
        timeout_seconds: how long each step of it may take.

    Raises:
        DemoFailed: the page did not reach the end.
    """
    # Imported only where there is a browser: it takes 30 MB, and is a dependency of the tests.
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415

    listing = next(offer for offer in people.offers if offer.is_instant)
    try:
        with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program) as browser:
            page = browser.new_page()
            page.set_default_timeout(timeout_seconds * 1000)
            page.goto(f"{demo_page(api_url)}/basic?listing={listing.id}")
            # The time is held before it is booked.
            with page.expect_response("**/holds"):
                page.locator("[part~=slot]").first.click()
            page.locator("[name=title]").fill(SUBJECT)
            page.locator("[part~=form] [part~=primary]").click()
            page.locator("#events li", has_text="booked").wait_for()
            return str(page.locator("[part~=result] h2").inner_text())
    except Error as error:
        raise DemoFailed(f"The browser could not book in the page: {error}", process="api") from error
