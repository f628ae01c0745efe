"""Tests of `tutelage up`: one per folder, kept alive, true in run.json, and gone without a trace."""

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
import urllib3
from click.testing import CliRunner

from cli.embedded import StartError, start_postgres
from cli.main import main
from cli.plan import PARTS
from cli.run_file import read_run
from cli.system import find_leftovers, prepare_data_folder, running_system
from config.settings import STARTED_BY_UP
from tests import servers
from tests.api.identity_provider import pem
from tests.cli.running import Up, await_end, tutelage_up
from tests.eventually import eventually
from tests.processes import kill_all

SECRET = "of forty bytes or a little bit more still"


def deep(folder: Path) -> Path:
    """A data folder deeper than a socket's path may be, with signs that configuration files would expand."""
    below = folder / ("d" * 100)
    below.mkdir()
    return below / "50 % of {it} 100%"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return deep(tmp_path)


@pytest.fixture(scope="module")
def present(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Up]]:
    """Gives the `up` of the servers alone that tests share, or another one in its folder once a test has ended it."""
    folder = deep(tmp_path_factory.mktemp("used"))
    servers.prepare_data_folder(folder)
    started: list[Up] = []
    with ExitStack() as running:

        def present() -> Up:
            if not started or started[-1].process.poll() is not None:
                started.append(running.enter_context(tutelage_up(folder)))
            return started[-1]

        yield present


def test_killed_servers_are_started_again(present: Callable[[], Up]) -> None:
    up = present()
    assert {entry["name"] for entry in up.run()["processes"]} == {"postgres", "redis"}
    for name in ("redis", "postgres"):
        killed = up.pid(name)
        psutil.Process(killed).kill()
        fresh = up.await_restart(name, killed)
        assert f"{name} ended and was started again, as process {fresh}." in up.said()


def test_an_interrupted_first_start_leaves_nothing_behind(data_dir: Path) -> None:
    with tutelage_up(data_dir) as up:
        eventually(lambda: find_leftovers(data_dir) or None, "the first process")
        up.process.send_signal(signal.SIGINT)
        assert up.ends() == 0, up.said()
        assert find_leftovers(data_dir) == []


def test_a_second_ctrl_c_kills_a_part_that_hangs(present: Callable[[], Up]) -> None:
    up = present()
    os.kill(up.pid("redis"), signal.SIGSTOP)
    up.process.send_signal(signal.SIGINT)
    eventually(lambda: "Stopping" in up.said() or None, "the sentence that it stops")
    up.process.send_signal(signal.SIGINT)
    assert up.ends() == 0, up.said()
    assert find_leftovers(up.data_dir) == []
    # It is up that hurried: the process manager would have waited.
    assert "with SIGKILL" not in (up.data_dir / "logs" / "supervisord.log").read_text()


def test_one_per_folder_until_it_is_killed(present: Callable[[], Up]) -> None:
    first = present()
    before = first.run()
    with tutelage_up(first.data_dir) as second:
        assert second.ends() == 1
        assert f"already (process {first.process.pid})" in second.said()
    assert first.run() == before
    (manager,) = psutil.Process(first.process.pid).children()
    kill_all([psutil.Process(first.process.pid), manager])
    first.ends()
    assert {entry["name"] for entry in present().run()["processes"]} == {"postgres", "redis"}


def test_kills_of_up_and_of_everything_lose_no_data(present: Callable[[], Up]) -> None:
    first = present()
    with psycopg.connect(first.run()["database_url"]) as db:
        db.execute("CREATE TABLE kept AS SELECT 1 AS one")
    left = find_leftovers(first.data_dir)
    first.process.kill()
    first.ends()
    await_end(left)
    assert read_run(first.data_dir) is None
    second = present()
    with psycopg.connect(second.run()["database_url"]) as db:
        assert db.execute("SELECT one FROM kept").fetchone() == (1,)
    kill_all([psutil.Process(second.process.pid), *find_leftovers(second.data_dir)])
    second.ends()
    with psycopg.connect(present().run()["database_url"]) as db:
        assert db.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_data_folder_from_before_the_first_revision_is_refused(data_dir: Path) -> None:
    servers.prepare_data_folder(data_dir)
    server = start_postgres(data_dir / "postgres")
    with psycopg.connect(server.url) as db:
        db.execute("UPDATE alembic_version SET version_num = '0062'")
    server.stop()
    with tutelage_up(data_dir) as up:
        assert up.ends() == 1
    assert "move the data folder away and run `tutelage up` again." in up.said()
    assert "Traceback" not in up.said()
    assert find_leftovers(data_dir) == []


def test_without_its_process_manager_it_ends_everything(present: Callable[[], Up]) -> None:
    up = present()
    up.run()
    (manager,) = psutil.Process(up.process.pid).children()
    manager.kill()
    assert up.ends() == 1
    assert "The process manager ended" in up.said()
    assert find_leftovers(up.data_dir) == []


def test_a_shell_with_the_folder_set_is_no_leftover(tmp_path: Path) -> None:
    environment = {**os.environ, "TUTELAGE_DATA_DIR": str(tmp_path)}
    other = {**environment, "TUTELAGE_DATA_DIR": str(tmp_path / "other"), STARTED_BY_UP: "1"}
    with (
        subprocess.Popen(["sleep", "60"], env=environment) as shell,
        subprocess.Popen(["sleep", "60"], env=other) as up,
    ):
        assert find_leftovers(tmp_path) == []
        shell.kill()
        up.kill()


def test_real_servers_take_the_place_of_the_embedded_ones(data_dir: Path, database_url: str, redis_url: str) -> None:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with tutelage_up(data_dir, environment=environment) as up:
        run = up.run()
        assert (run["processes"], run["database_url"], run["redis_url"]) == ([], database_url, redis_url)
        assert not (data_dir / "postgres").exists()


@pytest.mark.parametrize(("part", "option"), [("api", "port"), ("flower", "flower_port")])
def test_a_taken_port_is_a_clear_error(tmp_path: Path, part: str, option: str) -> None:
    without = [each.name for each in PARTS if each.group == "programs" and each.name != part]
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        options = {"port": 0, "flower_port": 0} | {option: port}
        with (
            pytest.raises(StartError, match=f"Port {port} is taken by another process"),
            running_system(data_dir=tmp_path, without=without, **options),
        ):
            pass


@pytest.mark.parametrize("options", [(), ("--reload",)])
def test_every_process_has_the_settings_of_the_caller_s_dotenv_file(tmp_path: Path, options: tuple[str, ...]) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "IDENTITY_HEADERS=off\nREMINDER_MINUTES=\nSIGNING_KEYSS=none\nJWT_PUBLIC_KEY=keys.pem\nAPI_WORKERS=1\n"
    )
    (tmp_path / "keys.pem").write_text(pem("EdDSA"))
    # A folder of our module's name in the caller's folder is not ours.
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "__init__.py").write_text("raise SystemExit('another program')")
    without = [part.name for part in PARTS if part.group == "programs" and part.name not in ("api", "sweep")]
    with tutelage_up(tmp_path / "data", *options, without=without, folder=tmp_path) as up:
        address = f"{up.run()['api']['url']}/me"
        assert urllib3.request("GET", address, headers={"X-User-Id": str(uuid4())}).status == 401
        assert "Development believes the header" not in up.said()
        assert "SIGNING_KEYSS is no setting and does nothing: did you mean SIGNING_KEYS?" in up.said()
        for entry in up.run()["processes"]:
            environment = psutil.Process(entry["pid"]).environ()
            assert environment["IDENTITY_HEADERS"] == "off", entry
            assert environment["REMINDER_MINUTES"] == "", entry
        said = CliRunner().invoke(main, ["doctor", "--data-dir", str(up.data_dir)]).output
        assert f"the system in {up.data_dir} was started with other values of API_WORKERS, JWT_PUBLIC_KEY." in said
        assert f"kept as files in {up.data_dir}/mail" in said
        # A process that is started again has the settings of the others, whatever the file says by then.
        file.write_text("IDENTITY_HEADERS=open\nAPI_THREADS=many\n")
        killed = up.pid("sweep")
        os.kill(killed, signal.SIGKILL)
        log = up.data_dir / "logs" / "sweep.log"
        fresh = psutil.Process(up.await_restart("sweep", killed))
        eventually(lambda: log.read_text().count("sweep.started") > 1 or None, "another sweep")
        assert fresh.environ()["IDENTITY_HEADERS"] == "off"


def test_an_unknown_part_is_a_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StartError, match="There is no part sweeper"),
        running_system(data_dir=tmp_path, without=["sweeper"]),
    ):
        pass


def test_flower_wants_a_password_in_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = dict.fromkeys(("JWT_SECRET", "ENCRYPTION_KEYS", "SIGNING_KEYS"), SECRET)
    production = {"TUTELAGE_ENV": "production", "PUBLIC_URL": "https://api.example", "MAIL": "files", **keys}
    for name, value in production.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartError, match="Flower needs FLOWER_BASIC_AUTH"), running_system(data_dir=tmp_path):
        pass


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    prepare_data_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
