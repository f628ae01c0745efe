"""One real system for all faults: what one test breaks has to be whole again for the next one."""

from collections.abc import Callable, Iterator

import pytest

from cli.system import running_system
from tests import servers
from tests.booking_system import UNLIMITED
from tests.embedded_servers import start_valkey
from tests.faults.system_under_test import Figures, SystemUnderTest, Valkey
from tests.participants import Participants, register

# Three attempts, so that a test sees what becomes of a webhook in the end.
RETRY_SCHEDULE = "0.5,0.5"


@pytest.fixture(scope="package")
def sut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemUnderTest]:
    """A system with every part but Flower and live updates, and a Valkey of the test's own."""
    folder = tmp_path_factory.mktemp("faults")
    servers.prepare_data_folder(folder / "data")
    valkey = Valkey(folder / "redis", start_valkey(folder / "redis"))
    environment = {"REDIS_URL": valkey.url, "WEBHOOK_RETRY_SCHEDULE": RETRY_SCHEDULE, **UNLIMITED}
    try:
        with running_system(data_dir=folder / "data", without=("flower", "streams"), environment=environment) as system:
            yield SystemUnderTest(system, valkey)
    finally:
        valkey.server.stop()


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Takes what a test has measured: into the report, and onto standard output for `pytest -s`."""

    def take(name: str, value: float) -> None:
        record_property(name, round(value, 4))
        print(f"{name}: {value:.4f}")

    return take


@pytest.fixture
def cast(sut: SystemUnderTest) -> Iterator[Participants]:
    """A mentor and a mentee in the system, which must be in order when they leave."""
    cast = register(sut.api)
    yield cast
    sut.assert_in_order(cast)
