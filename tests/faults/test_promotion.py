"""A standby takes over under load: what was acknowledged is there, and every part goes on without a restart."""

import shutil
import subprocess
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console

from cli.embedded import EmbeddedServer, own_folder, password_file, postgres_binary, start_postgres
from tests import servers
from tests.eventually import eventually
from tests.faults.day import Day, a_market, follow_a_life, open_stream, processes_of
from tests.faults.faults import STEP_SECONDS, Once
from tests.processes import family, kill_all

CLIENTS = 3
MENTORS = 11
# From the end of the promotion to the next change that is acknowledged.
ERRORS_SECONDS = 10
# The name by which the primary waits for the standby.
STANDBY = "standby"


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    """A primary that answers a commit once its standby has it, and that standby."""
    servers.prepare_data_folder(folder / "primary")
    place = folder / "standby" / "postgres"
    unsynced = {"fsync": "off"}
    primary = start_postgres(folder / "primary" / "postgres", settings=unsynced)
    try:
        own_folder(place)
        address = make_conninfo(primary.url, application_name=STANDBY)
        copied: list[str | Path] = [
            postgres_binary("pg_basebackup"),
            f"--dbname={address}",
            f"--pgdata={place / 'data'}",
        ]
        subprocess.run([*copied, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"], check=True)
        shutil.copy(password_file(folder / "primary" / "postgres"), password_file(place))
        subprocess.run(["chown", "-R", f"--reference={place}", place], check=True)
        standby = start_postgres(place, settings=unsynced)
    except BaseException:
        primary.stop()
        raise
    try:
        with psycopg.connect(primary.url, autocommit=True) as db:
            db.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            db.execute("SELECT pg_reload_conf()")
            eventually(lambda: _is_synchronous(db), "a synchronous standby")
        yield primary, standby
    finally:
        kill_all(family(primary.process.pid) if primary.process.poll() is None else [])
        primary.process.wait()
        standby.stop()


def _is_synchronous(db: psycopg.Connection) -> bool:
    return db.execute("SELECT sync_state FROM pg_stat_replication").fetchall() == [("sync",)]


def address_of(*those: EmbeddedServer) -> str:
    """The address of whichever of these servers takes changes."""
    login = urlsplit(those[0].url).netloc.rpartition("@")[0]
    hosts = ",".join(f"127.0.0.1:{conninfo_to_dict(each.url)['port']}" for each in those)
    return f"postgresql://{login}@{hosts}/tutelage?target_session_attrs=read-write"


# Starting a system and two servers takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_a_standby_is_promoted_under_load(tmp_path: Path) -> None:
    with replicated(tmp_path) as (primary, standby):
        address = address_of(primary, standby)

        def promote() -> None:
            kill_all(family(primary.process.pid))
            eventually(lambda: day.record.retries, "a request that is sent again")
            with psycopg.connect(standby.url, autocommit=True) as db:
                assert db.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)

        environment = {"DATABASE_URL": address}
        with a_market(tmp_path / "data", MENTORS, environment, database_url=address, without=("flower",)) as (
            market,
            inbox,
        ):
            system, offer = market.system, market.stalls[0].offer
            pids = processes_of(system)
            stream = open_stream(system, offer)
            assert stream.next().name == "snapshot"
            promotion = Once("promote the standby", promote, market.accepted, breaks_leases=True)
            day = Day(market, promotion, inbox, Console(width=140))
            assert day.suffer(STEP_SECONDS, CLIENTS)
            _assert_errors_were_short(day)
            # The stream of before has ended, and its positions are no longer valid.
            again = open_stream(system, offer, stream.rest()[-1].id)
            assert [again.next().name for _ in range(2)] == ["reset", "snapshot"]
            stream.close()
            again.close()
            follow_a_life(system, offer)
            assert processes_of(system) == pids


def _assert_errors_were_short(day: Day[Once]) -> None:
    """The first change after the promotion was acknowledged within seconds."""
    (fault,), answered = day.made, sorted(day.record.answered_at)
    assert answered[bisect_left(answered, fault.until)] - fault.until < ERRORS_SECONDS
