"""PgBouncer in transaction mode: what it breaks is left alone or refused, and every part works through it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from sqlalchemy import Integer, column, text

from cli.embedded import free_port, start_postgres
from cli.main import main
from cli.migrate import newest_revision, revert, upgrade
from config.settings import settings
from models.engine import create, driver_of
from models.prepared import PreparedStatement
from tests import servers
from tests.eventually import eventually
from tests.faults.day import Day, a_market, follow_a_life, processes_of
from tests.faults.faults import STEP_SECONDS, Once

MISSING = "PgBouncer is not installed (Debian: apt-get install pgbouncer): nothing is tested through a pooler."
# Installed for services: not on the path of every user.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
MOVES_PREPARED = (1, 22)
# Fewer than the parts have connections: each session serves many of them.
SESSIONS = 6
CLIENTS = 3
MENTORS = 11
USED = f"SELECT count(*) <= {SESSIONS} FROM pg_stat_activity WHERE application_name LIKE 'tutelage%'"
# PostgreSQL shows the locks of all its databases.
ADVISORY_LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND datname = current_database()
"""
# What a command would have left to whoever has its session next.
SETTINGS_LEFT = """
SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('search_path')
"""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)


@dataclass
class Pooler:
    """A PgBouncer before a database."""

    folder: Path
    database_url: str
    prepared: int = 0  # how many statements it keeps for each session; 0 for none
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{urlsplit(self.database_url).netloc.rpartition('@')[0]}@127.0.0.1:{self.port}/pooled"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        known = conninfo_to_dict(self.database_url)
        (self.folder / "users.txt").write_text(f'"{known["user"]}" "{known["password"]}"\n')
        file = self.folder / "pgbouncer.ini"
        file.write_text(
            f"[databases]\npooled = host=127.0.0.1 port={known['port']} dbname={known['dbname']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {self.folder / 'users.txt'}\n"
            f"pool_mode = transaction\ndefault_pool_size = {SESSIONS}\nmax_client_conn = 500\nquery_wait_timeout = 5\n"
            + (f"max_prepared_statements = {self.prepared}\n" if self.prepared else "")
        )
        assert PROGRAM is not None
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        with (self.folder / "pgbouncer.log").open("ab") as log:
            # Its folder is root's alone: it has read its files by the time it becomes another user.
            self._process = subprocess.Popen([PROGRAM, *user, file], stdout=log, stderr=log)
        eventually(self._answers, "PgBouncer")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "pgbouncer.log").read_text()
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def pooled(folder: Path, database_url: str, prepared: int = 0) -> Iterator[Pooler]:
    pooler = Pooler(folder, database_url, prepared)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.kill()


def version() -> tuple[int, ...]:
    said = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said.splitlines()[0])[:2])


@pytest.mark.parametrize("prepared", [0, 200], ids=["forgetful", "prepared"])
def test_a_statement_never_runs_as_that_of_another_client(tmp_path: Path, database_url: str, prepared: int) -> None:
    if prepared and version() < MOVES_PREPARED:
        pytest.skip("This PgBouncer keeps no prepared statements: it needs 1.22 or later.")
    numbers = [
        PreparedStatement(
            text(f"SELECT {number} AS number, CAST(:by AS integer) AS by").columns(
                column("number", Integer), column("by", Integer)
            )
        )
        for number in range(2)
    ]
    with pooled(tmp_path, database_url, prepared) as pooler, ExitStack() as stack:
        engines = [create(pooler.url, pool_size=1) for _ in numbers]
        for each in engines:
            stack.callback(each.dispose)
        for _ in range(3):
            # In each transaction, both have the other's session of before.
            with engines[0].connect() as first, engines[1].connect() as second:
                for db, statement, number in ((second, numbers[1], 1), (first, numbers[0], 0)):
                    assert statement.one_or_none(db, {"by": 7}) == {"number": number, "by": 7}
                    assert db.scalar(text("SELECT CAST(:n AS integer)"), {"n": number}) == number
                    assert driver_of(db).prepares == bool(prepared)


def test_commands_that_need_a_session_are_refused_and_leave_nothing(tmp_path: Path, database_url: str) -> None:
    def run(*words: str) -> str:
        settings.cache_clear()
        return CliRunner().invoke(main, words, env={"DATABASE_URL": pooler.url}).output

    with pooled(tmp_path, database_url) as pooler:
        assert f"The database is at revision {newest_revision()} now." in run("migrate")
        said = run("doctor", "--data-dir", str(tmp_path), "--port", str(free_port()), "--flower-port", str(free_port()))
        assert "through a pooler in transaction mode, which does not move prepared statements" in said
        assert "name PostgreSQL itself in DATABASE_URL" in run("backup", str(tmp_path / "file"))
        assert "name PostgreSQL itself in DATABASE_URL" in run("restore", "--loaded")
        revert(database_url, 1)
        assert "name PostgreSQL itself in DATABASE_URL" in run("migrate")
        with psycopg.connect(pooler.url) as db:
            assert db.execute(SETTINGS_LEFT).fetchone() == ("9s", "5s", '"$user", public')
        _require_no_lock(database_url)
        assert upgrade(database_url) == newest_revision()


# Starting a system takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_every_part_works_through_a_pooler(tmp_path: Path) -> None:
    servers.prepare_data_folder(tmp_path / "server")
    postgres = start_postgres(tmp_path / "server" / "postgres", settings={"fsync": "off"})
    with ExitStack() as stack:
        stack.callback(postgres.stop)
        pooler = stack.enter_context(pooled(tmp_path, postgres.url))

        def restart() -> None:
            pooler.kill()
            eventually(lambda: day.record.retries, "a request that is sent again")
            pooler.start()

        environment = {"DATABASE_URL": pooler.url}
        market, inbox = stack.enter_context(
            a_market(tmp_path / "data", MENTORS, environment, database_url=postgres.url, without=("flower",))
        )
        pids = processes_of(market.system)
        fault = Once("restart PgBouncer", restart, market.accepted, breaks_leases=True)
        day = Day(market, fault, inbox, Console(width=140))
        assert day.suffer(STEP_SECONDS, CLIENTS)
        assert processes_of(market.system) == pids
        follow_a_life(market.system, market.stalls[0].offer)
        with psycopg.connect(postgres.url, autocommit=True) as db:
            assert db.execute(USED).fetchone() == (True,)
        _require_no_lock(postgres.url)


def _require_no_lock(database_url: str) -> None:
    """Require that no session keeps an advisory lock; transactions and ending sessions release theirs soon."""
    with psycopg.connect(database_url, autocommit=True) as db:
        eventually(lambda: db.execute(ADVISORY_LOCKS).fetchone() == (0,), "no advisory lock")
