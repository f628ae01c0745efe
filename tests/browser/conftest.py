"""A browser, and the API as it answers one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine
from werkzeug.serving import make_server

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
from tests.browser.chromium import DESKTOP, PHONE, Browser

Shown = Callable[[str], None]


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config) -> str:
    """The browser's program."""
    name = str(pytestconfig.getoption("browser") or "chromium")
    program = shutil.which(name)
    if program is None:
        pytest.exit(f"There is no {name} to test pages in: install it (Debian: apt install chromium).", returncode=1)
    return program


@pytest.fixture(scope="session")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, for all tests."""
    with Browser(chromium, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def sized(browser: Browser, request: pytest.FixtureRequest) -> Browser:
    """The browser in the size of a window, and in that of a small phone."""
    browser.size(*request.param)
    browser.events.clear()
    return browser


@pytest.fixture
def site(engine: Engine) -> Iterator[str]:  # noqa: F811
    """Where the API answers."""
    world = World.on(engine)
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def keep(sized: Browser, pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Shown:
    """Keep a picture of the page under a name, and require that it fits and that the browser has no complaint."""
    folder = pytestconfig.getoption("pictures")
    size = request.node.callspec.params["sized"]

    def picture(name: str) -> None:
        assert sized.width() <= size[0], f"{name} has to be scrolled sideways"
        assert not sized.complaints(), name
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f"{name}-{size[0]}.png").write_bytes(sized.picture())

    return picture
