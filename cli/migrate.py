"""Bring a database to the newest schema, or back: Alembic, without its configuration file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from cli.addresses import DATA_DIR_OPTION, find_database_url
from models.engine import create

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
# Any number, the same everywhere: it stands for "somebody migrates this database".
MIGRATION_LOCK = 7_483_920_116


def upgrade(database_url: str) -> str | None:
    """Apply every migration that is missing; a second caller at the same time waits, and then finds nothing to do.

    Args:
        database_url: `postgresql://…`, not through a pooler in transaction mode: the lock belongs to a connection.
    Returns:
        The revision that the database has now.
    """
    with _alone(database_url) as (connection, config):
        command.upgrade(config, "head")
        return current_revision(connection)


def revert(database_url: str, steps: int) -> str | None:
    """Take back that many migrations, the newest first; returns the revision that the database has now."""
    with _alone(database_url) as (connection, config):
        command.downgrade(config, f"-{steps}")
        return current_revision(connection)


def current_revision(connection: Connection) -> str | None:
    """The revision that a database has; None for one without our tables."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The revision that this code expects of its database."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(database_url: str) -> Iterator[tuple[Connection, Config]]:
    """A connection to migrate with, while another one holds the lock (migrations commit, and would let go of it)."""
    engine = create(database_url, pool_size=2, name="tutelage-migrate")
    config = _config()
    try:
        with engine.connect() as lock, engine.connect() as connection:
            lock.execution_options(isolation_level="AUTOCOMMIT")
            _wait_without_limit(lock)
            lock.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            _wait_without_limit(connection)
            connection.commit()
            config.attributes["connection"] = connection
            yield connection, config
            connection.commit()
    finally:
        engine.dispose()


def _wait_without_limit(connection: Connection) -> None:
    """The engine's limits are for requests; a migration may take as long as its tables are large."""
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text("SET lock_timeout = 0"))
    connection.execute(text("SET idle_in_transaction_session_timeout = 0"))


@click.command()
@click.argument("words", nargs=-1, metavar="[new NAME]")
@click.option("--revert", "steps", type=click.IntRange(min=1), metavar="N", help="Take back the newest N migrations.")
@DATA_DIR_OPTION
def migrate(words: tuple[str, ...], steps: int | None, data_dir: Path) -> None:
    """Bring the database to the newest schema.

    `tutelage migrate new NAME` writes a new migration from what the tables in models/ have and the database has not.
    """
    if words and (words[0] != "new" or len(words) < 2 or steps):
        raise click.UsageError("Say `tutelage migrate`, `tutelage migrate --revert N` or `tutelage migrate new NAME`.")
    database_url = find_database_url(data_dir)
    if words:
        with _alone(database_url) as (_connection, config):
            command.revision(config, message=" ".join(words[1:]), autogenerate=True)
    elif steps:
        click.echo(f"The database is at revision {revert(database_url, steps) or 'nothing at all'} now.")
    else:
        click.echo(f"The database is at revision {upgrade(database_url)} now.")
