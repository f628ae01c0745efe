"""Tests of `tutelage up`: one per folder, kept alive, true in run.json, and gone without a trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest

from cli.leftovers import find_leftovers
from cli.migrate import upgrade
from cli.run_file import read_run
from cli.servers import start_postgres
from tests.cli.running import SERVERS_ALONE, await_end, await_value, tutelage_up
from tests.servers import FAST


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PostgreSQL's folder as an earlier run left it: stopped, and migrated."""
    folder = tmp_path_factory.mktemp("cluster") / "postgres"
    server = start_postgres(folder, settings=FAST)
    upgrade(server.url)
    server.stop()
    return folder


@pytest.fixture
def used(data_dir: Path, cluster: Path) -> Path:
    """A data folder that was used before, for those whom its first start does not concern."""
    data_dir.mkdir()
    # As it is, with its owner.
    subprocess.run(["cp", "-a", cluster, data_dir], check=True)
    return data_dir


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_and_leaves_nothing_behind(data_dir: Path, number: signal.Signals) -> None:
    with tutelage_up(data_dir) as up:
        pids = [entry["pid"] for entry in up.run()["processes"]]
        assert {entry["name"] for entry in up.run()["processes"]} == {"postgres", "redis"}
        up.process.send_signal(number)
        assert up.ends() == 0, up.said()
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
        assert find_leftovers(data_dir) == []
        assert read_run(data_dir) is None


def test_a_start_that_is_interrupted_leaves_nothing_behind(data_dir: Path) -> None:
    with tutelage_up(data_dir) as up:
        await_value(lambda: find_leftovers(data_dir) or None, "the first process")
        up.process.send_signal(signal.SIGTERM)
        assert up.ends() == 0, up.said()
        assert find_leftovers(data_dir) == []


def test_a_second_ctrl_c_does_not_wait_for_a_part_that_hangs(used: Path) -> None:
    with tutelage_up(used) as up:
        os.kill(up.pid("redis"), signal.SIGSTOP)
        up.process.send_signal(signal.SIGINT)
        await_value(lambda: "Stopping" in up.said() or None, "the sentence that it stops")
        up.process.send_signal(signal.SIGINT)
        assert up.ends() == 0, up.said()
        assert find_leftovers(used) == []
        # It is up that hurried: the process manager would have waited.
        assert "with SIGKILL" not in (used / "logs" / "supervisord.log").read_text()


def test_a_second_one_in_the_same_folder_says_that_the_first_is_running(used: Path) -> None:
    with tutelage_up(used) as first:
        before = first.run()
        with tutelage_up(used) as second:
            assert second.ends() == 1
            assert f"already (process {first.process.pid})" in second.said()
        assert first.run() == before


@pytest.mark.parametrize(("part", "option"), [("api", "--port"), ("flower", "--flower-port")])
def test_a_taken_port_is_a_clear_error(data_dir: Path, part: str, option: str) -> None:
    without = [name for name in SERVERS_ALONE if name != part]
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with tutelage_up(data_dir, option, str(port), without=without) as up:
            assert up.ends() == 1
            assert f"Port {port} is taken by somebody else" in up.said()


def test_an_unknown_part_is_a_clear_error(data_dir: Path) -> None:
    with tutelage_up(data_dir, without=["sweeper"]) as up:
        assert up.ends() == 1
        assert "There is no part sweeper." in up.said()


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_killed_part_is_started_again_and_run_json_follows(used: Path, name: str) -> None:
    with tutelage_up(used) as up:
        killed = up.pid(name)
        psutil.Process(killed).kill()
        fresh = await_value(lambda: up.pid(name) if up.pid(name) != killed else None, "a new process")
        assert psutil.pid_exists(fresh)
        assert f"{name} ended and was started again, as process {fresh}." in up.said()


def test_after_a_kill_of_up_nothing_stays_and_the_next_one_starts(used: Path) -> None:
    with tutelage_up(used) as first:
        with psycopg.connect(first.run()["database_url"]) as db:
            db.execute("CREATE TABLE kept AS SELECT 1 AS one")
        left = [process.pid for process in find_leftovers(used)]
        first.process.kill()
        await_end(left)
    with tutelage_up(used) as second, psycopg.connect(second.run()["database_url"]) as db:
        assert db.execute("SELECT one FROM kept").fetchone() == (1,)


def test_after_a_kill_of_up_and_of_its_process_manager_the_next_one_starts_at_once(used: Path) -> None:
    with tutelage_up(used) as first:
        first.run()
        (manager,) = psutil.Process(first.process.pid).children()
        (socket_file,) = {entry.laddr for entry in manager.net_connections("unix") if entry.laddr}
        for pid in (first.process.pid, manager.pid):
            os.kill(pid, signal.SIGKILL)
        with tutelage_up(used) as second:
            assert {entry["name"] for entry in second.run()["processes"]} == {"postgres", "redis"}
            assert not Path(str(socket_file)).parent.exists()


def test_after_a_kill_of_everything_at_once_the_next_one_resumes(used: Path) -> None:
    with tutelage_up(used) as first:
        with psycopg.connect(first.run()["database_url"]) as db:
            db.execute("CREATE TABLE kept AS SELECT 1 AS one")
        for pid in (first.process.pid, *(process.pid for process in find_leftovers(used))):
            os.kill(pid, signal.SIGKILL)
        with tutelage_up(used) as second, psycopg.connect(second.run()["database_url"]) as db:
            assert db.execute("SELECT one FROM kept").fetchone() == (1,)


def test_without_its_process_manager_it_ends_everything_and_says_so(used: Path) -> None:
    with tutelage_up(used) as up:
        up.run()
        (manager,) = psutil.Process(up.process.pid).children()
        manager.kill()
        assert up.ends() == 1
        assert "The process manager ended" in up.said()
        assert find_leftovers(used) == []


def test_real_servers_take_the_place_of_the_embedded_ones(data_dir: Path, database_url: str, redis_url: str) -> None:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with tutelage_up(data_dir, environment=environment) as up:
        assert up.run()["processes"] == []
        assert up.run()["database_url"] == database_url
        assert up.run()["redis_url"] == redis_url
        assert not (data_dir / "postgres").exists()


def test_a_deep_data_folder_is_no_problem(data_dir: Path) -> None:
    deep = data_dir / ("d" * 100) / ("e 100%" * 10)
    deep.parent.mkdir(parents=True)
    with tutelage_up(deep) as up:
        assert len(up.run()["processes"]) == 2


def test_flower_wants_a_password_in_production(data_dir: Path) -> None:
    secret = "of forty bytes or a little bit more still"
    production = {"TUTELAGE_ENV": "production", "JWT_SECRET": secret, "ENCRYPTION_KEYS": secret, "SIGNING_KEYS": secret}
    with tutelage_up(data_dir, without=[], environment=production) as up:
        assert up.ends() == 1
        assert "Flower needs FLOWER_BASIC_AUTH" in up.said()
