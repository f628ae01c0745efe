"""The system under test: its parts by name, its database, and a Valkey that can be stopped."""

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import redis
from urllib3.exceptions import HTTPError

from cli.embedded import EmbeddedServer
from cli.system import System
from tests.embedded_servers import start_valkey
from tests.eventually import eventually
from tests.participants import Participants
from tests.processes import family, kill_all, stopped
from tests.speaking import Caller

# The promise for a session whose wakeup was lost, from the moment when all parts are there again.
RESUMED_SECONDS = 20.0
PENDING = """
SELECT count(*) FROM deliveries
WHERE state = 'pending' AND due_at <= now() AND (lease_until IS NULL OR lease_until <= now())
"""

Figures = Callable[[str, float], None]


@dataclass
class Valkey:
    """A Valkey at one address for good, whatever happens to the server behind it."""

    folder: Path
    server: EmbeddedServer

    @property
    def url(self) -> str:
        return self.server.url

    def kill(self) -> None:
        self.server.process.kill()
        self.server.process.wait()

    def bring_back(self) -> None:
        self.server = start_valkey(self.folder, int(self.url.rpartition(":")[2].partition("/")[0]))

    def stop_answering(self) -> None:
        self.server.process.send_signal(signal.SIGSTOP)

    def answer_again(self) -> None:
        self.server.process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


@dataclass
class SystemUnderTest:
    """The system, and what a test may do to it."""

    system: System
    valkey: Valkey

    @property
    def api(self) -> Caller:
        url = self.system.run["api"]["url"]
        assert url is not None
        return Caller(url)

    def pid(self, part: str) -> int:
        pid: int = next(entry["pid"] for entry in self.system.run["processes"] if entry["name"] == part)
        return pid

    def kill(self, part: str) -> None:
        killed = family(self.pid(part))
        kill_all(killed)
        psutil.wait_procs(killed, timeout=5)

    def stopped(self, part: str) -> AbstractContextManager[None]:
        """For the time of a block a part and all its children do nothing at all."""
        return stopped(self.pid(part))

    def pids(self) -> set[int]:
        """The processes of all parts, the API's own children among them."""
        run = self.system.run
        return {*run["api"]["pids"], *(entry["pid"] for entry in run["processes"])}

    def log(self, part: str) -> str:
        return (self.system.data_dir / "logs" / f"{part}.log").read_text()

    def db(self) -> psycopg.Connection:
        """A connection to its database, each statement a transaction of its own."""
        return psycopg.connect(self.system.run["database_url"], autocommit=True)

    def is_ready(self) -> bool:
        try:
            return self.api("GET", "/health/ready").status == 200
        except HTTPError:
            return False

    def sessions_of(self, bookings: Sequence[str]) -> int:
        with self.db() as db:
            row = db.execute("SELECT count(*) FROM sessions WHERE booking_id = ANY(%s)", [list(bookings)]).fetchone()
        assert row is not None
        return int(row[0])

    def await_sessions(self, bookings: Sequence[str], seconds: float = RESUMED_SECONDS) -> float:
        """Wait until each of these bookings has its session, and return how many seconds that took."""
        began = time.monotonic()
        eventually(lambda: self.sessions_of(bookings) == len(bookings), f"{len(bookings)} sessions", seconds=seconds)
        return time.monotonic() - began

    def assert_in_order(self, cast: Participants) -> None:
        """Await the end of all due deliveries without a lease, and require that every invariant holds."""

        def nothing_pending() -> bool:
            with self.db() as db:
                return db.execute(PENDING).fetchone() == (0,)

        eventually(nothing_pending, "the end of all that is due")
        found = cast.operator.get("/operations/invariants")
        assert found["ok"], found
