"""Tests of backup and restore as docs/running.md describes them: its own commands, and work goes on afterwards."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from subprocess import run
from uuid import UUID

import psycopg
from sqlalchemy import Engine, text

from cli.embedded import postgres_binary
from models.engine import create, missing_settings
from tests import servers
from tests.factories import accept_booking, make_booking, make_session
from tests.integration.harness import Harness
from workflows.invariants import check_all

ROOT = Path(__file__).resolve().parent.parent.parent
PENDING = "SELECT count(*) FROM deliveries WHERE state = 'pending'"
_SECTION = re.compile(r"## Backup and restore\n(.*?)\n## ", re.DOTALL)


def commands() -> list[str]:
    """The two scripts of the page: the backup, and the restore."""
    section = _SECTION.search((ROOT / "docs" / "running.md").read_text())
    assert section
    return re.findall(r"```sh\n(.*?)```", section[1], re.DOTALL)


def sessions_after_work(address: str) -> dict[UUID, int]:
    """How many sessions each booking has after workers have run twice, with every invariant whole."""
    restored = create(address)
    try:
        harness = Harness(restored)
        for _ in range(2):
            harness.run_all()
        with restored.begin() as db:
            assert [finding.name for finding in check_all(db) if finding.violations] == []
            counted = db.execute(text("SELECT booking_id, count(*) AS number FROM sessions GROUP BY booking_id"))
            return {row.booking_id: row.number for row in counted}
    finally:
        restored.dispose()


def test_a_backup_is_restored_and_bookings_live_on(engine: Engine, database_url: str, tmp_path: Path) -> None:
    with engine.begin() as db:
        accepted, scheduled = accept_booking(db, make_booking(db)), make_session(db)
    name = f"{engine.url.database}_restored"
    programs = f"{postgres_binary('pg_dump').parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs, "ADMIN_URL": servers.database_address("postgres")}
    back_up, restore = commands()
    # Beside the databases of other tests.
    restore = restore.replace('"$ADMIN_URL" tutelage', f'"$ADMIN_URL" {name}')
    try:
        for script, address in ((back_up, database_url), (restore, servers.database_address(name))):
            named = environment | {"DATABASE_URL": address}
            ended = run(["sh", "-e", "-c", script], env=named, cwd=tmp_path, capture_output=True, text=True)
            assert ended.returncode == 0, ended.stdout + ended.stderr
        with psycopg.connect(servers.database_address(name)) as restored:
            assert missing_settings(restored) == {}
            count = restored.execute(PENDING).fetchone()
        with psycopg.connect(database_url) as backed_up:
            assert count == backed_up.execute(PENDING).fetchone() != (0,)
        assert sessions_after_work(servers.database_address(name)) == {accepted.id: 1, scheduled.booking_id: 1}
    finally:
        servers.drop_database(name)
