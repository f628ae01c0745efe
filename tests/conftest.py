"""What every test may ask for: real servers, a database of its own, or a connection that is rolled back."""

import gc
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
import structlog
from sqlalchemy import Connection, Engine
from xdist.remote import Producer

from cli.plan import ROOT
from config.logging import redact
from models.engine import create
from tests import compiling, scheduling, servers
from tests.cli.running import Up, make_up
from workflows.events import subscriptions

_OWNED: list[servers.Servers] = []
_NUMBERS = itertools.count(1)

# Time limits of single examples fail where other processes take the machine.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")
# Of `make fuzz`, which names it and a seed to pytest.
hypothesis.settings.register_profile(
    "fuzz",
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    database=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the tests of random sequences and random calendars go on, and in which browser pages are tested."""
    parser.addoption("--sequences", type=int, default=3, help="How many random sequences of bookings are played.")
    parser.addoption("--slot-cases", type=int, default=200, help="How many random calendars are searched for slots.")
    parser.addoption("--same-key-requests", type=int, default=200, help="How many requests share one Idempotency-Key.")
    parser.addoption("--two-users-requests", type=int, default=60, help="How many requests two databases compare.")
    parser.addoption("--browser", help="The Chromium to test pages in; without one, tests/browser is left out.")
    parser.addoption("--pictures", help="A folder to keep pictures of the pages in.")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing but Python and make may be assumed: pages are tested in a browser only where one is named."""
    return True if collection_path.name == "browser" and not config.getoption("--browser") else None


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers, once per run: not in xdist's workers, and not just to list tests or options."""
    # A shell that runs the tests in the background has them ignore Ctrl-C, and so would every process that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Imported and collected objects stay to the end: to look for garbage among them takes seconds in each process.
    gc.disable()
    # A test of the guards runs them within a run, by the servers that it has.
    within_a_run = hasattr(config, "workerinput") or servers.POSTGRES_VARIABLE in os.environ
    if not within_a_run and not config.option.collectonly:
        if config.option.numprocesses and not sys.dont_write_bytecode:
            compiling.compile_modules()
        _OWNED.append(servers.start())


def pytest_unconfigure() -> None:
    while _OWNED:
        _OWNED.pop().stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _has_node_packages():
        items[:] = [item for item in items if item.get_closest_marker("node") is None]
    scheduling.tell_apart(items)
    scheduling.longest_first(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _has_node_packages():
        terminalreporter.write_line("Tests marked `node` are left out: `make component` installs their packages.")


def _has_node_packages() -> bool:
    """Nothing but Python and make may be assumed; the gate installs them first where there is node."""
    return shutil.which("node") is not None and (ROOT / "component/node_modules/openapi-fetch").exists()


def pytest_collection_finish() -> None:
    """Thousands of tests and all that they import are there to the end: they are never garbage."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> scheduling.SharingSystems | None:
    """What `--dist loadfile` means here."""
    if config.getvalue("dist") != "loadfile":
        return None
    # The order is ours; by default the files with the fewest tests come last, which take longest.
    config.option.loadscopereorder = False
    return scheduling.SharingSystems(config, log)


@pytest.fixture(scope="session", autouse=True)
def _plain_log_lines() -> None:
    """Log lines as they are for machines: painting tracebacks would take longer than the tests."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            # As every process does it: tests/log_secrets.py searches what is printed.
            redact,
            structlog.processors.JSONRenderer(default=str),
        ]
    )


@pytest.fixture(autouse=True)
def _every_effect() -> None:
    """No test records by the operator's choices that another test made in this process."""
    subscriptions.reset_policy()


@pytest.fixture(scope="session")
def first_seed(pytestconfig: pytest.Config) -> int:
    """The seed of the first round: the one of `make fuzz`, or always the same."""
    return int(pytestconfig.getoption("--hypothesis-seed") or 0)


@pytest.fixture(scope="session")
def seeds(pytestconfig: pytest.Config, first_seed: int) -> range:
    """The seeds of the random sequences that are to be played."""
    number: int = pytestconfig.getoption("sequences")
    return range(first_seed, first_seed + number)


@pytest.fixture(scope="session")
def same_key_requests(pytestconfig: pytest.Config) -> int:
    """How many requests are to share one key while processes of the API are killed."""
    number: int = pytestconfig.getoption("same_key_requests")
    return number


@pytest.fixture(scope="session")
def template_database() -> str:
    """The name of the migrated, empty database, to be copied; the first process of a run that asks makes it."""
    return servers.template_database()


@pytest.fixture
def database_url(worker_id: str, template_database: str) -> Iterator[str]:
    """The address of a fresh, migrated database that this test has for itself."""
    name = f"tutelage_test_{worker_id}_{next(_NUMBERS)}"
    with servers.temporary_database(name, template_database) as address:
        yield address


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on the test's own database: what is committed through it is really committed."""
    engine = create(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def rollback_engine(worker_id: str, template_database: str) -> Iterator[Engine]:
    """An engine on a database that the worker's tests share, since each of them rolls back."""
    with servers.temporary_database(f"tutelage_rollback_{worker_id}", template_database) as address:
        engine = create(address)
        yield engine
        engine.dispose()


@pytest.fixture
def db(rollback_engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back after the test."""
    with rollback_engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        if transaction.is_active:
            transaction.rollback()


@pytest.fixture(scope="session")
def whole_systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Up]]:
    """Gives the running system that all tests of a whole system share, or another one once a test has ended it."""
    started: list[Up] = []

    with ExitStack() as running:

        def present() -> Up:
            if not started or started[-1].process.poll() is not None:
                started.append(running.enter_context(make_up(tmp_path_factory.mktemp("up"))))
            return started[-1]

        yield present


@pytest.fixture(scope="module")
def up(whole_systems: Callable[[], Up]) -> Up:
    """A running system with every part, as `make up` starts it."""
    up = whole_systems()
    up.run()
    return up


@pytest.fixture
def redis_url() -> str:
    """The address of the Valkey that all tests of the run share."""
    return servers.redis_url()
