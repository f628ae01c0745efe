"""Tests of the whole system under `tutelage up`: every part ready, and every part started again."""

import os
import signal
import stat
from pathlib import Path

import psutil
import psycopg
import pytest
import urllib3

from cli.plan import PARTS
from cli.run_file import read_run
from cli.system import find_leftovers
from config.publishable_keys import require_publishable_key
from tests.cli.running import FLOWER_LOGIN, Up, make_up
from tests.eventually import eventually

# 500 were measured.
AT_REST_MEBIBYTES = 550


def get(url: str, login: str | None = None) -> urllib3.BaseHTTPResponse:
    headers = urllib3.make_headers(basic_auth=login) if login else None
    return urllib3.request("GET", url, headers=headers, retries=False, timeout=10)


def test_every_part_of_the_process_list_runs(up: Up) -> None:
    run = up.run()
    assert [entry["name"] for entry in run["processes"]] == [part.name for part in PARTS]
    assert all(psutil.pid_exists(entry["pid"]) for entry in run["processes"])


def test_a_restore_knows_each_process_by_its_name(up: Up) -> None:
    with psycopg.connect(up.run()["database_url"], application_name="") as db:
        rows = db.execute("SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()")
        names = {name for (name,) in rows if name}
    assert "tutelage-streams" in names
    assert {name for name in names if not name.startswith("tutelage-")} == set()


def test_all_processes_share_the_memory_of_their_imports(tmp_path: Path) -> None:
    # A system of its own, which has done nothing yet.
    with make_up(tmp_path) as up:
        api = psutil.Process(up.pid("api"))
        command = api.parents()[1]
        processes = [command, *command.children(recursive=True)]
        assert {process.pid for process in find_leftovers(up.data_dir)} < {process.pid for process in processes}
        assert sum(process.memory_full_info().pss for process in processes) < AT_REST_MEBIBYTES * 1024 * 1024


def test_api_and_flower_answer_where_run_json_says(up: Up) -> None:
    run = up.run()
    assert get(f"{run['api']['url']}/health/ready").status == 200
    assert get(f"{run['flower']['url']}/healthcheck").status == 200
    assert run["api"]["url"] in up.said()


def test_flower_shows_metrics_for_its_password_alone(up: Up) -> None:
    url = f"{up.run()['flower']['url']}/metrics"
    assert get(url).status == get(url, "operator:wrong").status == 401
    shown = get(url, FLOWER_LOGIN)
    assert (shown.status, b"flower_" in shown.data) == (200, True)


def test_the_api_s_master_comes_first_and_its_workers_follow(up: Up) -> None:
    master, *workers = up.run()["api"]["pids"]
    assert master == up.pid("api")
    assert sorted(child.pid for child in psutil.Process(master).children()) == workers
    assert workers


def test_development_s_environment_reaches_the_parts(up: Up) -> None:
    environment = psutil.Process(up.pid("api")).environ()
    assert environment["IDENTITY_HEADERS"] == "open"
    assert environment["COMPONENT_DEMO"] == "tokens"
    assert get(f"{up.run()['api']['url']}/component/demo").status == 200
    assert require_publishable_key(environment["PUBLISHABLE_KEYS"])
    assert environment["PUBLIC_URL"] == up.run()["api"]["url"]
    assert environment["MAIL_FOLDER"] == str(up.data_dir / "mail")
    assert environment["TUTELAGE_DATA_DIR"] == str(up.data_dir)


def test_measured_parts_share_their_metrics(up: Up) -> None:
    counted = {int(file.stem.rpartition("_")[2]) for file in (up.data_dir / "metrics").glob("*.db")}
    assert {up.pid(part.name) for part in PARTS if part.measured and part.name != "api"} <= counted
    assert set(up.run()["api"]["pids"][1:]) <= counted
    assert up.pid("flower") not in counted
    shown = get(f"{up.run()['api']['url']}/metrics")
    assert b"flower" not in shown.data
    assert b'tutelage_database_statement_duration_seconds_count{process="worker-sessions"}' in shown.data


@pytest.mark.parametrize("name", ["worker-sessions", "sweep", "flower", "api"])
def test_a_killed_part_is_started_again(up: Up, name: str) -> None:
    killed = up.pid(name)
    os.kill(killed, signal.SIGKILL)
    fresh = up.await_restart(name, killed)
    assert f"{name} ended and was started again, as process {fresh}." in up.said()


def test_run_json_follows_workers_of_the_api(up: Up) -> None:
    def workers() -> set[int]:
        return set(up.run()["api"]["pids"][1:])

    killed = eventually(lambda: next(iter(workers()), None), "a worker of the API")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: workers() if workers() and killed not in workers() else None, "another worker")


def open_to_others(folder: Path) -> set[str]:
    """What in this folder other users could read or enter."""
    return {path.name for path in folder.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077}


def test_other_users_cannot_read_the_data_folder(up: Up) -> None:
    assert {"logs", "postgres", "redis", "run.json", "supervisord.conf"} <= {
        path.name for path in up.data_dir.iterdir()
    }
    assert open_to_others(up.data_dir / "logs") == set()
    # The lock holds a process id, and nothing else.
    assert open_to_others(up.data_dir) <= {"lock"}
    # For passing through to PostgreSQL's folder, which is another user's when root starts it.
    assert stat.S_IMODE(up.data_dir.stat().st_mode) == 0o711


def test_every_part_writes_for_its_owner_alone(up: Up) -> None:
    for entry in up.run()["processes"]:
        status = Path(f"/proc/{entry['pid']}/status").read_text()
        assert "Umask:\t0077" in status, entry["name"]


def test_at_the_end_nothing_stays(up: Up) -> None:
    (process,) = psutil.Process(up.process.pid).children()
    process.terminate()
    assert up.ends() == 0, up.said()
    assert "Stopped." in up.said()
    assert find_leftovers(up.data_dir) == []
    assert read_run(up.data_dir) is None
    # Flower writes down what it has seen when it ends.
    assert list(up.data_dir.glob("flower.db*"))
    assert open_to_others(up.data_dir) <= {"lock"}
