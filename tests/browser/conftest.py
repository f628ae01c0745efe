"""A browser, and pages in it whose complaints fail a test."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import Engine

from tests.api.conftest import (  # noqa: F401 - fixtures
    accepted,
    api_engine,
    cast,
    draft,
    engine,
    in_progress,
    scheduled,
)
from tests.application import World
from tests.browser.serving import serving

DESKTOP, PHONE = (1024, 800), (320, 640)
# For what comes by itself; a loaded machine takes its time.
PATIENCE_MS = 20_000
COLOURS = 64

Shown = Callable[[str], None]


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """The installed browser, for all tests."""
    name = str(pytestconfig.getoption("browser") or "chromium")
    program = shutil.which(name)
    if program is None:
        pytest.exit(f"There is no {name} to test pages in: install it (Debian: apt install chromium).", returncode=1)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        if "firefox" in name:
            # Any Firefox, by WebDriver BiDi; without the channel, Playwright expects a build of its own.
            launched = playwright.firefox.launch(executable_path=program, channel="moz-firefox")
        else:
            launched = playwright.chromium.launch(executable_path=program)
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser has written into its log: a policy that was violated, an error that nothing caught."""
    return []


def watch(page: Page, complaints: list[str]) -> Page:
    """Keep the page's complaints, and wait for what it does as long as is fair."""
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def sized(browser: Browser, complaints: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without JavaScript in the size of a window, and in that of a small phone."""
    width, height = request.param
    with browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=False) as context:
        yield watch(context.new_page(), complaints)


@pytest.fixture
def site(engine: Engine) -> Iterator[str]:  # noqa: F811
    """Where the API answers."""
    with serving(World.on(engine).app) as port:
        yield f"http://127.0.0.1:{port}"


def require_fitting(page: Page) -> None:
    """Require that nothing has to be scrolled sideways."""
    wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} pixels too wide"


def keep_picture(page: Page, folder: Path, name: str) -> None:
    """Write a picture of the whole page as a small PNG."""
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
