"""Tests of `tutelage backup` and `tutelage restore`: a database becomes a file, and a file a database to go on with."""

import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, func, insert, text

from cli.backup import command_of
from cli.embedded import start_postgres
from cli.migrate import newest_revision, upgrade
from cli.plan import ROOT
from config.sealing import Sealer
from models.engine import create
from models.webhooks import webhook_endpoints
from tests import factories, servers
from tests.integration.harness import Harness
from tests.queries import execute, scalar

OLD, NEW = "the old passphrase that is long enough", "the new passphrase that is long enough"
STATES = "SELECT state::text AS state, count(*) AS number FROM deliveries WHERE effect = '{}' GROUP BY state"


@dataclass(frozen=True)
class Done:
    """The exit code of a command, and all that it printed."""

    exit_code: int
    output: str


def tutelage(*words: str) -> Done:
    """Run the command in a process of its own, since it sets up the log of its process."""
    command = [sys.executable, "-P", "-m", "cli.main", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return Done(done.returncode, done.stdout)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", OLD)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def use_database(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets DATABASE_URL for the commands of this process; an empty text stands for none."""

    def use(address: str) -> None:
        monkeypatch.setenv("DATABASE_URL", address)

    return use


@pytest.fixture
def empty_database(worker_id: str) -> Iterator[str]:
    """The address of a database without tables."""
    with servers.temporary_database(f"tutelage_restored_{worker_id}") as address:
        yield address


@pytest.fixture(scope="module")
def backed_up(worker_id: str, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A backup of a life that was cut off: its first effects are due, and a mail was being sent."""
    file = tmp_path_factory.mktemp("backup") / "tutelage.dump"
    with (
        servers.temporary_database(f"tutelage_backed_up_{worker_id}", template_database) as address,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("DATABASE_URL", address)
        environment.setenv("ENCRYPTION_KEYS", OLD)
        engine = create(address)
        with engine.begin() as db:
            listing = factories.make_listing(db)
            endpoint = {"url": "https://partner.example/in", "event_types": ["*"], "state": "active"}
            db.execute(insert(webhook_endpoints).values(id=uuid4(), **endpoint))
            factories.make_booking(db, listing=listing, notes=Sealer((OLD,)).seal("a secret"))
        harness = Harness(engine)
        harness.deliver("notifications.booking_requested")
        leased = func.now() + timedelta(seconds=40)
        harness.change(harness.key("mail.send"), lease_until=leased, nudge_at=leased, attempts=1)
        with engine.begin() as db:
            factories.accept_booking(db, factories.make_booking(db, listing=listing))
        engine.dispose()
        done = tutelage("backup", str(file))
        assert (done.exit_code, done.output.startswith(f"{file}: ")) == (0, True), done.output
        assert list(file.parent.iterdir()) == [file]
        yield file


@pytest.fixture
def file(backed_up: Path, tmp_path: Path) -> Path:
    """The backup, for one test."""
    return Path(shutil.copy2(backed_up, tmp_path))


def states(engine: Engine, effect: str) -> dict[str, int]:
    return {row.state: row.number for row in execute(engine, text(STATES.format(effect)))}


def test_a_backup_is_for_its_owner_alone_and_overwrites_nothing(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = tutelage("backup", str(file))
    assert (again.exit_code, again.output) == (1, f"Error: {file} exists: name a new file.\n")
    assert list(file.parent.iterdir()) == [file]


def test_a_failed_backup_leaves_no_file(
    use_database: Callable[[str], None], empty_database: str, tmp_path: Path
) -> None:
    use_database(empty_database)
    done = tutelage("backup", str(tmp_path / "no such folder" / "tutelage.dump"))
    assert (done.exit_code, "pg_dump failed" in done.output) == (1, True), done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "mails", "webhooks"),
    [
        ((), "cancelled", "pending"),
        (("--pending-mails", "send", "--pending-webhooks", "discard"), "pending", "cancelled"),
    ],
)
def test_pending_messages_are_kept_or_discarded(
    file: Path,
    use_database: Callable[[str], None],
    empty_database: str,
    words: tuple[str, ...],
    mails: str,
    webhooks: str,
) -> None:
    use_database(empty_database)
    done = tutelage("restore", str(file), *words)
    assert done.exit_code == 0, done.output
    assert done.output.endswith("Ready: start the processes.\n")
    restored = create(empty_database)
    try:
        # Mails of effects that were due at the backup are decided about as well: the lost system may have sent them.
        assert scalar(restored, text("SELECT count(*) FROM sessions")) == 1
        assert states(restored, "mail.send").keys() == {mails}
        assert states(restored, "webhooks.send").keys() == {webhooks}
        assert "pending" not in states(restored, "sessions.create")
        # A reminder is due later than the loss: it can only come from here.
        assert scalar(restored, text("SELECT count(*) FROM deliveries WHERE state = 'pending' AND due_at > now()")) > 0
        entry = execute(restored, text("SELECT data FROM audit_entries WHERE action = 'database.restored'"))
        assert [row.data["discarded"] > 0 for row in entry] == [True]
    finally:
        restored.dispose()


def test_a_database_in_use_or_with_tables_is_refused(
    file: Path, use_database: Callable[[str], None], empty_database: str
) -> None:
    use_database(empty_database)
    with psycopg.connect(empty_database, application_name="tutelage-sweep"):
        used = tutelage("restore", str(file))
        assert (used.exit_code, "used by tutelage-sweep" in used.output) == (1, True), used.output
    with psycopg.connect(empty_database) as db:
        assert db.execute("SELECT to_regclass('bookings')").fetchone() == (None,)
        db.execute("CREATE TABLE bookings ()")
    filled = tutelage("restore", str(file))
    assert (filled.exit_code, "has 1 table: restore into an empty one" in filled.output) == (1, True), filled.output


def test_a_missing_key_is_named_before_anything_runs(
    file: Path, use_database: Callable[[str], None], empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_database(empty_database)
    monkeypatch.setenv("ENCRYPTION_KEYS", NEW)
    refused = tutelage("restore", str(file))
    assert (refused.exit_code, "lacks the key of 1 row of bookings" in refused.output) == (1, True), refused.output
    with psycopg.connect(empty_database) as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{NEW},{OLD}")
    done = tutelage("restore", "--loaded")
    assert done.exit_code == 0, done.output
    with psycopg.connect(empty_database) as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (1,)


@pytest.mark.parametrize("words", [[], ["--loaded", "FILE"]])
def test_a_file_or_a_loaded_database_is_named(file: Path, words: list[str]) -> None:
    done = tutelage("restore", *(word.replace("FILE", str(file)) for word in words))
    assert (done.exit_code, "Name a FILE, or say --loaded" in done.output) == (2, True), done.output


def test_a_broken_file_leaves_the_database_empty(
    file: Path, use_database: Callable[[str], None], empty_database: str
) -> None:
    use_database(empty_database)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    done = tutelage("restore", str(file))
    assert (done.exit_code, "pg_restore failed" in done.output) == (1, True), done.output
    with psycopg.connect(empty_database) as db:
        assert db.execute("SELECT to_regclass('bookings')").fetchone() == (None,)


def test_data_folders_of_stopped_systems_are_backed_up_and_restored(
    use_database: Callable[[str], None], tmp_path: Path
) -> None:
    use_database("")
    server = start_postgres(tmp_path / "old" / "postgres", settings=servers.FAST)
    upgrade(server.url)
    old = create(server.url)
    with old.begin() as db:
        factories.make_booking(db)
    old.dispose()
    server.stop()
    file = tmp_path / "tutelage.dump"
    for words in (["backup", str(file), "--data-dir", str(tmp_path / "old")], ["restore", str(file), "--data-dir"]):
        done = tutelage(*words, *([str(tmp_path / "new")] if words[-1] == "--data-dir" else []))
        assert done.exit_code == 0, done.output
    server = start_postgres(tmp_path / "new" / "postgres", settings=servers.FAST)
    try:
        with psycopg.connect(server.url) as db:
            assert db.execute("SELECT count(*) FROM bookings").fetchone() == (1,)
            assert db.execute("SELECT version_num FROM alembic_version").fetchone() == (newest_revision(),)
    finally:
        server.stop()


def test_the_password_is_in_no_command_line(engine: Engine) -> None:
    address = servers.database_address(str(engine.url.database))
    password = conninfo_to_dict(address)["password"]
    words, secret = command_of("pg_dump", address)
    assert secret == {"PGPASSWORD": password}
    assert str(password) not in " ".join(words)
    assert words[0].endswith("pg_dump")
