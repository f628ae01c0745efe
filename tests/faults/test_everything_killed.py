"""Everything is killed at once, `up` itself included: the next start resumes where the last answer was given."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from urllib3.exceptions import HTTPError

from cli.system import find_leftovers, running_system
from tests import servers
from tests.booking_system import UNLIMITED
from tests.cli.running import tutelage_up
from tests.embedded_servers import start_valkey
from tests.faults.system_under_test import Figures, SystemUnderTest, Valkey
from tests.participants import Participants, register
from tests.processes import kill_all
from tests.speaking import Caller

DRAFTS = 80
CLIENTS = 4
ANSWERED_BEFORE_THE_KILL = 20
RESUMED_SECONDS = 10.0
# The processes that make no sessions of accepted bookings.
OTHERS = (
    *("worker-reviews", "worker-notifications", "worker-analytics", "worker-webhooks"),
    *("flower", "streams", "maintain"),
)


def test_a_restart_after_killing_everything_keeps_every_answer(tmp_path: Path, figures: Figures) -> None:
    data_dir = tmp_path / "data"
    servers.prepare_data_folder(data_dir)
    valkey = Valkey(tmp_path / "redis", start_valkey(tmp_path / "redis"))
    environment = {"REDIS_URL": valkey.url, **UNLIMITED}
    try:
        with tutelage_up(data_dir, without=OTHERS, environment=environment) as up:
            cast = register(Caller(str(up.run()["api"]["url"])))
            accepted = _accept_until_everything_dies(cast, up.process.pid, data_dir, valkey)
        assert ANSWERED_BEFORE_THE_KILL <= len(accepted) < DRAFTS
        valkey.bring_back()
        with running_system(data_dir=data_dir, without=OTHERS, environment=environment) as system:
            risen = SystemUnderTest(system, valkey)
            figures("answers before the kill", len(accepted))
            figures("seconds from ready to all sessions", risen.await_sessions(accepted, RESUMED_SECONDS))
            found = risen.api.as_operator().get("/operations/invariants")
            assert found["ok"], found
    finally:
        valkey.server.stop()


def _accept_until_everything_dies(cast: Participants, up: int, data_dir: Path, valkey: Valkey) -> list[str]:
    """The bookings whose acceptance was answered before, or in the very moment of, the kill."""
    drafts = [cast.request() for _ in range(DRAFTS)]
    accepted: list[str] = []
    # Looked up before: to find them takes as long as many accepts.
    everything = [psutil.Process(up), *find_leftovers(data_dir)]

    def accept(draft: str) -> None:
        try:
            answer = cast.mentor("PATCH", f"/bookings/{draft}/accept")
        except HTTPError:
            return
        if answer.status == 202:
            accepted.append(draft)
        if len(accepted) >= ANSWERED_BEFORE_THE_KILL:
            valkey.server.process.kill()
            kill_all(everything)

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(accept, drafts))
    kill_all(find_leftovers(data_dir))
    return accepted
