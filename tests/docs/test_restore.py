"""Tests of backup, restore and a move to another PostgreSQL: the commands of docs/running.md, into another cluster."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from subprocess import run
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text

from api.streams.hub import Hub
from cli.embedded import EmbeddedServer, postgres_binary, start_postgres
from models.engine import create, missing_settings
from tests import servers
from tests.api.streaming import Event, Streams
from tests.application import as_user, settings_for
from tests.audit import chain_all, written
from tests.factories import accept_booking, make_booking, make_listing, make_session, make_user, this_hour
from tests.integration.harness import Harness
from workflows.audit.chain import end_of_chain
from workflows.catalog.listings import Listing
from workflows.invariants import check_all

ROOT = Path(__file__).resolve().parent.parent.parent
UNCREATED = "SELECT count(*) FROM deliveries WHERE state = 'pending' AND effect = 'sessions.create'"
XIDS = "SELECT CAST(CAST(max(xid) AS text) AS bigint) FROM events"
PRESENT = "SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"
SPEND = "DO $$ BEGIN FOR i IN 1..{} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
AHEAD = 3_000


def commands(section: str) -> list[str]:
    found = re.search(rf"## {section}\n(.*?)\n## ", (ROOT / "docs" / "running.md").read_text(), re.DOTALL)
    assert found
    return re.findall(r"```sh\n(.*?)```", found[1], re.DOTALL)


@pytest.fixture(scope="module")
def other_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A second PostgreSQL, in which few transactions have run."""
    server = start_postgres(tmp_path_factory.mktemp("cluster") / "postgres", settings=servers.FAST)
    yield server
    server.stop()


def ask(address: str, query: str) -> Any:
    """The one value of a query, or nothing of a statement, each in a transaction of its own."""
    with psycopg.connect(address, autocommit=True) as db:
        found = db.execute(query)
        return found.fetchone()[0] if found.description else None  # type: ignore[index]


def sessions_after_work(restored: Engine) -> dict[UUID, int]:
    """How many sessions each booking has after workers have run twice, with every invariant whole."""
    harness = Harness(restored)
    for _ in range(2):
        harness.run_all()
    with restored.begin() as db:
        assert [finding.name for finding in check_all(db) if finding.violations] == []
        counted = db.execute(text("SELECT booking_id, count(*) AS number FROM sessions GROUP BY booking_id"))
        return {row.booking_id: row.number for row in counted}


@contextmanager
def followed(address: str, listing: Listing, headers: dict[str, str], last_id: str | None = None) -> Iterator[Any]:
    """What live updates of a database say about a mentor's times."""
    streams = Streams(settings_for(address), Hub)
    client = streams.open(f"/streams/availability?mentorProfileId={listing.mentor_profile_id}", headers, last_id)
    try:
        yield client
    finally:
        client.close()
        streams.stop()


@pytest.mark.parametrize("section", ["Backup and restore", "A new major version of PostgreSQL"])
def test_a_database_lives_on_in_another_cluster(
    section: str, engine: Engine, database_url: str, other_cluster: EmbeddedServer, tmp_path: Path
) -> None:
    ask(database_url, SPEND.format(AHEAD))
    with engine.begin() as db:
        accepted, scheduled = accept_booking(db, make_booking(db)), make_session(db)
        listing, mentee = make_listing(db), as_user(make_user(db))
        # Within the days that live updates show.
        accept_booking(db, make_booking(db, listing=listing, start_time=this_hour() + timedelta(days=2)))
    written(engine, 3)
    chain_all(engine)
    with followed(database_url, listing, mentee) as client:
        last_id = client.next().id
    name = f"{engine.url.database}_moved"
    address = make_url(other_cluster.url).set(database=name).render_as_string(hide_password=False)
    for script in commands(section):
        of_old = "restore" not in script
        environment = {"DATABASE_URL": database_url if of_old else address, "OLD_DATABASE_URL": database_url}
        _run(script, tmp_path, **environment, TEXTFILE_FOLDER=str(tmp_path))
    with psycopg.connect(address) as moved:
        assert missing_settings(moved) == {}
    assert ask(address, UNCREATED) == 0 < ask(database_url, UNCREATED)
    ahead = ask(address, XIDS) - ask(address, PRESENT)
    assert ahead > AHEAD / 2, "its transaction ids are the old cluster's"
    assert ask(address, "SELECT count(*) FROM audit_entries WHERE action = 'database.moved'") == 1
    moved_engine = create(address)
    try:
        _expect_no_old_news(moved_engine, address, listing, mentee, last_id, ahead)
        done = sessions_after_work(moved_engine)
        assert {id: done[id] for id in (accepted.id, scheduled.booking_id)} == dict.fromkeys(
            (accepted.id, scheduled.booking_id), 1
        )
        with engine.connect() as db:
            old_end = end_of_chain(db)
        chain_all(moved_engine)
        _run(f"tutelage audit verify --expect {old_end.hash.hex()}", tmp_path, DATABASE_URL=address)
    finally:
        moved_engine.dispose()


def _expect_no_old_news(
    moved: Engine, address: str, listing: Listing, headers: dict[str, str], last_id: str, ahead: int
) -> None:
    """Follow a mentor while the new cluster's transaction ids pass the old ones: a new booking alone is news."""
    with followed(address, listing, headers, last_id) as client:
        reset, snapshot = client.next(), client.next()
        assert (reset.name, snapshot.name, len(snapshot.data["busy"])) == ("reset", "snapshot", 1)
        ask(address, SPEND.format(ahead + 100))
        with moved.begin() as db:
            start = this_hour() + timedelta(days=3)
            booking = accept_booking(db, make_booking(db, listing=listing, start_time=start))
        event: Event = client.next()
        assert (event.name, event.data["startTime"]) == ("busy", f"{booking.start_time:%Y-%m-%dT%H:%M:%SZ}")
    # Its own ids hold from one process to the next.
    with moved.begin() as db:
        later = accept_booking(db, make_booking(db, listing=listing, start_time=start + timedelta(days=1)))
    with followed(address, listing, headers, event.id) as client:
        assert client.next().data["startTime"] == f"{later.start_time:%Y-%m-%dT%H:%M:%SZ}"


def _run(script: str, folder: Path, **addresses: str) -> None:
    """Run what the page says, with the programs of the embedded PostgreSQL and with tutelage."""
    programs = f"{postgres_binary('pg_dump').parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs, **addresses}
    ended = run(["sh", "-e", "-c", script], env=environment, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
