"""Tests of the backup and the restore as docs/running.md describes them: its own commands, against PostgreSQL."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from subprocess import run

import psycopg
from sqlalchemy import Engine

from cli.embedded import postgres_binary
from models.engine import missing_settings
from tests import servers
from tests.factories import make_booking

ROOT = Path(__file__).resolve().parent.parent.parent
PENDING = "SELECT count(*) FROM deliveries WHERE state = 'pending'"
_SECTION = re.compile(r"## Backup and restore\n(.*?)\n## ", re.DOTALL)


def commands() -> list[str]:
    """The two scripts of the page: the backup, and the restore."""
    section = _SECTION.search((ROOT / "docs" / "running.md").read_text())
    assert section
    return re.findall(r"```sh\n(.*?)```", section[1], re.DOTALL)


def test_a_backup_is_restored_by_the_documented_commands(engine: Engine, database_url: str, tmp_path: Path) -> None:
    with engine.begin() as db:
        make_booking(db)
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
    finally:
        servers.drop_database(name)
