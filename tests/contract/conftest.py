"""The same cast and the same application as the tests of the API, and a scene that no test changes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from config.vapid import new_private_key
from models.engine import create
from tests import servers
from tests.api.conftest import (  # noqa: F401 - fixtures are found by name
    accepted,
    api_engine,
    bundle,
    cast,
    client,
    course,
    draft,
    engine,
    in_progress,
    kept_cast,
    kept_course,
    product,
    reviewed,
    scheduled,
    world,
)
from tests.application import World
from tests.contract.scene import PUBLISHABLE_KEY, Scene, set_scene


@pytest.fixture(scope="session")
def scene_engine(worker_id: str, template_database: str) -> Iterator[Engine]:
    with servers.temporary_database(f"tutelage_scene_{worker_id}", template_database) as address:
        engine = create(address)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def scene(scene_engine: Engine) -> Scene:
    """One thing of every kind that a path can name, and every kind of caller."""
    with scene_engine.begin() as db:
        return set_scene(db)


@pytest.fixture(scope="session")
def kept_scene(api_engine: Engine) -> tuple[Scene, str]:  # noqa: F811
    """A scene to be changed, and what puts its rows into an empty database."""
    with api_engine.begin() as db:
        scene = set_scene(db)
    return scene, servers.keep_rows(api_engine, "kept_scene")


@pytest.fixture(scope="session")
def open_world(scene_engine: Engine) -> World:
    """The application on the database of the scene, with a catalogue that is open to callers without credentials."""
    return World.on(scene_engine, streams_url="http://127.0.0.1:1", open_catalogue=True)


@pytest.fixture(scope="session")
def scene_world(scene_engine: Engine) -> World:
    """The application on the database of the scene, with nothing left out."""
    push = {"vapid_private_key": new_private_key(), "vapid_subject": "mailto:operators@example.org"}
    visible = {"publishable_keys": (PUBLISHABLE_KEY,), "component_demo": "pages"}
    return World.on(scene_engine, streams_url="http://127.0.0.1:1", **visible, **push)
