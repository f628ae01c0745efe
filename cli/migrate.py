"""Bring a database to the newest schema, or back: Alembic, without its configuration file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from uuid_utils.compat import uuid7

from cli.database import SharedSessions, explained_errors, find_database_url, shares_sessions
from cli.operator import cli_operator
from cli.run_file import DATA_DIR_OPTION
from models.engine import create, driver_of, missing_settings, set_up_role
from workflows.audit.log import write_audit_entry
from workflows.streams.changes import is_settled, settle

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
# The key of the advisory lock of migrations: any number, the same everywhere.
MIGRATION_LOCK = 7_483_920_116
LOOK_AGAIN_SECONDS = 0.2
# A new migration is formatted as all other files are.
FORMATTER = {
    "hooks": "ruff",
    "ruff.type": "module",
    "ruff.module": "ruff",
    "ruff.options": "format --quiet REVISION_SCRIPT_FILENAME",
}
# Writers queue up behind a migration that waits for a table, and wait for 5 s (models/engine.py) at the most.
LOCK_TIMEOUT = "2s"
# The engine's limits for requests are lifted: a migration of large tables may take long once it has their locks.
SESSION_SETTINGS = (
    "SET statement_timeout = 0",
    f"SET lock_timeout = '{LOCK_TIMEOUT}'",
    "SET idle_in_transaction_session_timeout = 0",
)
# The baseline: databases with a lower number were made before migrations were kept.
FIRST_REVISION = "0100"
TOO_OLD = (
    f"This database was made before revision {FIRST_REVISION}, the first that can be upgraded: use an empty database,"
    " or move the data folder away and run `tutelage up` again."
)


class TableInUse(click.ClickException):
    """A table that a migration changes was in use for too long; the message has the remedy."""


def upgrade(database_url: str, migrations: Path = MIGRATIONS) -> str | None:
    """Apply every migration that is missing; a second caller at the same time waits, and then finds nothing to do.

    It also sets the role's timeouts, and makes a database that was restored from another cluster ready for this one.
    The schema of a newer version stays: this one runs on it after a deploy that is taken back.

    Args:
        database_url: `postgresql://…`; through a pooler in transaction mode where nothing has to be done.
        migrations: the folder of Alembic's environment.
    Returns:
        The revision that the database has now.
    Raises:
        ClickException: the database is from before the first revision that is kept.
        SharedSessions: a pooler is in the way of what has to be done.
        TableInUse: a table was in use for longer than writers should wait; the steps before are kept.
    """
    try:
        return _upgrade(database_url, migrations)
    except SharedSessions:
        if revision := _revision_with_nothing_to_do(database_url):
            return revision
        raise


def _upgrade(database_url: str, migrations: Path) -> str | None:
    with _alone(database_url, migrations) as (connection, config), _bounded_waits():
        revision = current_revision(connection)
        connection.commit()
        if is_newer(revision, config):
            click.echo(f"A newer version of Tutelage has migrated the database to revision {revision}, which stays.")
        else:
            command.upgrade(config, "head")
            connection.commit()
        _settle(connection)
        driver = driver_of(connection)
        set_up_role(driver)
        driver.commit()
        return current_revision(connection)


def _revision_with_nothing_to_do(database_url: str) -> str | None:
    """The revision of a database in which `upgrade` would change nothing; None of any other."""
    engine = create(database_url, pool_size=1, name="tutelage-migrate", warn=False, gives_up=False)
    try:
        with engine.connect() as db:
            revision = current_revision(db)
            is_done = revision == newest_revision() or is_newer(revision)
            return revision if is_done and is_settled(db) and not missing_settings(driver_of(db)) else None
    finally:
        engine.dispose()


def _settle(db: Connection) -> None:
    number = settle(db)
    if number is not None and number > 1:
        data = {"cluster": number}
        subject = ("cluster", uuid7())
        write_audit_entry(
            db, actor=cli_operator(), action="database.moved", subject=subject, data=data, now=datetime.now(UTC)
        )
        click.echo("The database came from another cluster: live updates begin again.")
    db.commit()


def revert(database_url: str, steps: int) -> str | None:
    """Take back that many migrations, the newest first; returns the revision that the database has now.

    Raises:
        TableInUse, SharedSessions, ClickException: as `upgrade` does.
    """
    with _alone(database_url) as (connection, config), _bounded_waits():
        revision = current_revision(connection)
        connection.commit()
        if is_newer(revision, config):
            raise click.ClickException(f"A newer version of Tutelage made revision {revision}: revert it by that one.")
        command.downgrade(config, f"-{steps}")
        return current_revision(connection)


def current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def add_revision(database_url: str, title: str, migrations: Path = MIGRATIONS) -> Path:
    """Write the next migration from the differences of `models/` and the database, and return its file.

    Raises:
        ClickException: the database lacks a migration, or is reached through a pooler.
    """
    with _alone(database_url, migrations) as (connection, config):
        if current_revision(connection) != newest_revision():
            raise click.ClickException("The database is not at the newest revision: run `tutelage migrate` first.")
        for name, value in FORMATTER.items():
            config.set_section_option("post_write_hooks", name, value)
        number = f"{int(newest_revision() or FIRST_REVISION) + 1:04}"
        written = command.revision(config, message=title, autogenerate=True, rev_id=number)
        assert isinstance(written, Script)
        return Path(written.path)


def is_too_old(revision: str | None) -> bool:
    """Whether a database at this revision is older than the first kept revision."""
    return revision is not None and revision < FIRST_REVISION


def is_newer(revision: str | None, config: Config | None = None) -> bool:
    """Whether a database at this revision was migrated by a newer version than this one."""
    newest = ScriptDirectory.from_config(config or _config()).get_current_head()
    return revision is not None and newest is not None and revision > newest


def _config(migrations: Path = MIGRATIONS) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(database_url: str, migrations: Path = MIGRATIONS) -> Iterator[tuple[Connection, Config]]:
    """A connection to migrate with; another one holds the lock, since migrations commit and would release it."""
    engine = create(database_url, pool_size=2, name="tutelage-migrate", warn=False, gives_up=False)
    config = _config(migrations)
    try:
        with engine.connect() as lock, engine.connect() as connection:
            lock.execution_options(isolation_level="AUTOCOMMIT")
            if shares_sessions(driver_of(lock), driver_of(connection)):
                raise SharedSessions
            _wait_for_our_turn(lock)
            for setting in SESSION_SETTINGS:
                connection.execute(text(setting))
            if is_too_old(current_revision(connection)):
                raise click.ClickException(TOO_OLD)
            connection.commit()
            config.attributes["connection"] = connection
            yield connection, config
            connection.commit()
    finally:
        engine.dispose()


def _wait_for_our_turn(lock: Connection) -> None:
    # One statement that waits would hold a snapshot, for which an index that is built beside writers would wait.
    while not lock.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK}):
        time.sleep(LOOK_AGAIN_SECONDS)


@contextmanager
def _bounded_waits() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise TableInUse(
            f"A table that has to be changed was in use for more than {LOCK_TIMEOUT}, and writers must not wait "
            f"for longer. The steps before this one are done; try again when less is going on. ({error.orig})"
        ) from error


@click.command()
@click.argument("words", nargs=-1, metavar="[new NAME]")
@click.option("--revert", "steps", type=click.IntRange(min=1), metavar="N", help="Take back the newest N migrations.")
@DATA_DIR_OPTION
def migrate(words: tuple[str, ...], steps: int | None, data_dir: Path) -> None:
    """Bring the database to the newest schema.

    `tutelage migrate new NAME` writes a new migration from the differences of models/ and the database.
    """
    if words and (words[0] != "new" or len(words) < 2 or steps):
        raise click.UsageError("Say `tutelage migrate`, `tutelage migrate --revert N` or `tutelage migrate new NAME`.")
    database_url = find_database_url(data_dir)
    try:
        with explained_errors():
            if words:
                add_revision(database_url, " ".join(words[1:]))
            else:
                revision = revert(database_url, steps) if steps else upgrade(database_url)
                click.echo(f"The database is at revision {revision or 'nothing at all'} now.")
    except CommandError as error:
        raise click.ClickException(str(error)) from error
