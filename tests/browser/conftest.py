"""A browser, and pages in it whose complaints fail a test."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import Engine

from tests.api.conftest import (  # noqa: F401 - fixtures
    accepted,
    api_engine,
    cast,
    draft,
    engine,
    in_progress,
    kept_cast,
    scheduled,
)
from tests.application import World
from tests.browser.live import Live, Stage, live_system
from tests.browser.serving import serving
from tests.browser.visit import Visit

DESKTOP, PHONE = (1024, 800), (320, 640)
# For changes that no click causes; a loaded machine takes its time.
WAIT_MS = 30_000
COLOURS = 64
# The last list counts, so Playwright's own, as far as tests see it, stands here again. The others are two pages of its
# address bar that Chromium loads into each window: half of what a window costs, and each test has one.
SWITCHED_OFF = (
    *("AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose"),
    *("BlockOriginHeaderModificationOnRedirect", "HttpsUpgrades", "PaintHolding", "ThirdPartyStoragePartitioning"),
    *("WebUIOmniboxAimPopup", "WebUIOmniboxPopup"),
)

# One process for all pages instead of one for each window: the start of a process is a tenth of a test.
ONE_PROCESS: dict[str, str | float | bool] = {
    "fission.autostart": False,
    "dom.ipc.processCount": 1,
    "dom.ipc.processPrelaunch.enabled": False,
}

Shown = Callable[[str], None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a Firefox cannot be asked for by Playwright."""
    if "firefox" not in str(config.getoption("browser")):
        return
    left_out = [each for each in items if each.get_closest_marker("chromium")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [each for each in items if each not in left_out]


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """The installed browser, for all tests."""
    name = str(pytestconfig.getoption("browser") or "chromium")
    program = shutil.which(name)
    if program is None:
        pytest.exit(f"There is no {name} to test pages in: install it (Debian: apt install chromium).", returncode=1)
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        if "firefox" in name:
            # Any Firefox, by WebDriver BiDi; without the channel, Playwright expects a build of its own.
            launched = playwright.firefox.launch(
                executable_path=program, channel="moz-firefox", firefox_user_prefs=ONE_PROCESS
            )
        else:
            options = [f"--disable-features={','.join(SWITCHED_OFF)}"]
            launched = playwright.chromium.launch(executable_path=program, args=options)
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    """The browser's log: policies that were violated, errors that nothing caught."""
    return []


# Refusals, lost connections and files that are gone are part of the tests.
_EXPECTED = re.compile(
    r"Failed to load resource|Loading module from .* disallowed MIME type"
    r"|The Same Origin Policy disallows .*CORS request did not succeed"
)


def unexpected(complaints: list[str]) -> list[str]:
    """The complaints that are none about a refusal or a lost connection."""
    return [each for each in complaints if not _EXPECTED.match(each)]


def watch(page: Page, complaints: list[str]) -> Page:
    """Keep the page's complaints, and wait for what it does as long as is fair."""
    page.set_default_timeout(WAIT_MS)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def sized(browser: Browser, complaints: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without JavaScript in the size of a window, and of a small phone."""
    width, height = request.param
    with browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=False) as context:
        yield watch(context.new_page(), complaints)


@pytest.fixture
def site(engine: Engine) -> Iterator[str]:  # noqa: F811
    with serving(World.on(engine).app) as port:
        yield f"http://127.0.0.1:{port}"


# Elements that cross the sides of the window, or the component's.
CROSSING = """() => [document, document.querySelector("session-booking")?.shadowRoot].flatMap((root) => {
  if (!root) return [];
  const { left, right } = root.host?.getBoundingClientRect() ?? { left: 0, right: innerWidth };
  return [...root.querySelectorAll("*")]
    .filter((each) => each.checkVisibility() && !each.closest(".visually-hidden, dialog, option"))
    .filter((each) => each.getBoundingClientRect().right > right + 1 || each.getBoundingClientRect().left < left - 1)
    .map((each) => each.outerHTML.slice(0, 120));
})"""


def crossing(page: Page) -> list[str]:
    """Elements that are seen only after scrolling sideways, or stand beside their place."""
    wide = page.evaluate("() => document.scrollingElement.scrollWidth - innerWidth")
    return [*([f"{wide} pixels too wide"] if wide > 0 else []), *page.evaluate(CROSSING)]


def require_fitting(page: Page) -> None:
    """Require that nothing has to be scrolled sideways, or stands beside its place."""
    assert crossing(page) == []


def keep_picture(page: Page, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    taken = Image.open(io.BytesIO(page.screenshot(full_page=True, animations="disabled", caret="hide")))
    taken.convert("RGB").quantize(COLOURS).save(folder / f"{name}.png", optimize=True)


@pytest.fixture(scope="session")
def pictures(pytestconfig: pytest.Config) -> Path | None:
    """The folder that pictures are kept in, if they are."""
    folder = pytestconfig.getoption("pictures")
    return Path(folder) if folder else None


@pytest.fixture
def keep(sized: Page, complaints: list[str], pictures: Path | None) -> Shown:
    """Require of the page that it fits, and that the browser has no complaint; keep a picture under a name."""

    def picture(name: str) -> None:
        assert sized.viewport_size
        require_fitting(sized)
        assert not complaints, name
        if pictures:
            keep_picture(sized, pictures / "actions", f"{name}-{sized.viewport_size['width']}")

    return picture


@pytest.fixture(scope="session")
def live(template_database: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The running system with a site, for all tests of the component in this process."""
    number = 1 + int(worker_id.removeprefix("gw") if worker_id != "master" else 0)
    with live_system(tmp_path_factory.mktemp("live"), template_database, number) as live:
        yield live


@pytest.fixture
def stage(live: Live) -> Stage:
    """A mentor and two who want to book, of this test alone."""
    return Stage.make(live)


@pytest.fixture(params=["basic", "enhanced", "realtime"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def look() -> dict[str, Any]:
    """Options of the browser; a test may replace them."""
    return {}


@pytest.fixture
def context(browser: Browser, look: dict[str, Any]) -> Iterator[BrowserContext]:
    chosen = {"viewport": {"width": DESKTOP[0], "height": DESKTOP[1]}, "locale": "en-GB", "timezone_id": "UTC", **look}
    with browser.new_context(**chosen) as context:
        yield context


@pytest.fixture
def visit(context: BrowserContext, stage: Stage, variant: str, complaints: list[str]) -> Iterator[Visit]:
    """A page of the site with the component; in the end, nothing was violated and no error was left uncaught."""
    yield Visit(watch(context.new_page(), complaints), stage, variant)
    assert not unexpected(complaints)
