"""The disk of a whole system becomes full: reads and health go on, nothing ends, and all is back when there is room."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
import urllib3

from cli.system import running_system
from tests import servers
from tests.booking_system import UNLIMITED
from tests.embedded_servers import start_valkey
from tests.eventually import eventually
from tests.faults.system_under_test import Figures, SystemUnderTest, Valkey
from tests.participants import Participants, register
from tests.small_disk import SmallDisk, small_disk

MEGABYTES = 256
FULL_SECONDS = 8.0
# A check of readiness counts for a second, and answers in 1.5 (api/readiness.py).
UNREADY_SECONDS = 3.0
# Restarted while the disk is full: what they need at their start is there without room.
KILLED = ("worker-reviews", "sweep")
READ = ("/me", "/bookings", "/listings", "/courses")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", MEGABYTES) as disk:
        yield disk


@pytest.fixture
def system(disk: SmallDisk, tmp_path: Path) -> Iterator[SystemUnderTest]:
    """A system with every part, and its whole data folder on that disk; wake-ups are elsewhere."""
    data_dir = disk.path / "data"
    servers.prepare_data_folder(data_dir)
    valkey = Valkey(tmp_path / "redis", start_valkey(tmp_path / "redis"))
    environment = {"REDIS_URL": valkey.url, **UNLIMITED}
    try:
        with running_system(data_dir=data_dir, environment=environment) as running:
            yield SystemUnderTest(running, valkey)
    finally:
        valkey.server.stop()


def test_full_disk_ends_nothing_and_all_comes_back(system: SystemUnderTest, disk: SmallDisk, figures: Figures) -> None:
    cast = register(system.api)
    drafts = [cast.request() for _ in range(3)]
    before, manager = parts(system), manager_of(system)
    disk.fill()
    assert disk.free_bytes == 0
    try:
        for name in KILLED:
            system.kill(name)
        kill_one_of_the_api(system)
        statuses = use(system, cast, disk)
        figures("changes that were refused", statuses.count(503))
        assert set(statuses) <= {201, 503}
        # Also those that were killed run again, whatever run.json says.
        eventually(lambda: parts(system).keys() == before.keys(), "all parts")
        full = parts(system)
        assert {name for name in before if before[name] != full[name]} == set(KILLED)
    finally:
        disk.empty()
    eventually(system.is_ready, "readiness")
    for draft in drafts:
        eventually(partial(accept, cast, draft), "an answer")
    system.await_sessions(drafts)
    assert parts(system) == full
    assert manager.is_running()
    eventually(lambda: all(system.pid(name) == full[name] for name in KILLED), "run.json")
    system.assert_in_order(cast)


def accept(cast: Participants, draft: str) -> bool:
    return cast.mentor("PATCH", f"/bookings/{draft}/accept").status == 202


def use(system: SystemUnderTest, cast: Participants, disk: SmallDisk) -> list[int]:
    """Read, ask for the health and request sessions for a while; returns the statuses of the requests."""
    until, statuses, ready = time.monotonic() + FULL_SECONDS, list[int](), list[int]()
    had_room = time.monotonic()
    while time.monotonic() < until or ready[-1] != 503 or statuses[-1] != 503:
        assert time.monotonic() < until + FULL_SECONDS, (ready, statuses)
        for path in READ:
            assert cast.mentee("GET", path).status == 200, path
        assert system.api("GET", "/health/live").status == 200
        # Room that was given back meanwhile, e.g. by a checkpoint, is filled as well.
        if disk.free_bytes:
            disk.fill()
            had_room = time.monotonic()
        full_seconds = time.monotonic() - had_room
        ready.append(system.api("GET", "/health/ready").status)
        # It stays so while the disk is full.
        assert ready[-1] == 503 or full_seconds < UNREADY_SECONDS or disk.free_bytes, ready
        body = {"listingId": cast.listing_id, "startTime": cast.slot()}
        statuses.append(cast.mentee("POST", "/bookings", body).status)
    return statuses


def manager_of(system: SystemUnderTest) -> psutil.Process:
    manager = psutil.Process(system.pid("maintain")).parent()
    assert manager is not None
    return manager


def parts(system: SystemUnderTest) -> dict[str, int]:
    """The processes of the parts by their names, as the process manager has them now."""
    # Forks of the manager have its environment and its command line, and a log of their own.
    return {Path(f"/proc/{each.pid}/fd/1").readlink().stem: each.pid for each in manager_of(system).children()}


def kill_one_of_the_api(system: SystemUnderTest) -> None:
    """kill -9 one of the processes that answer, and await the one that takes its place."""
    api = psutil.Process(system.pid("api"))
    killed, *others = api.children()
    killed.kill()
    eventually(lambda: killed not in api.children() and len(api.children()) > len(others), "another process")

    def answers() -> bool:
        try:
            return system.api("GET", "/health/live").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    for _ in range(20):
        eventually(answers, "an answer")
