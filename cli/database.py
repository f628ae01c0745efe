"""The database of a command: where it is, and its errors in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from cli.run_file import read_run
from config.settings import SettingsError, settings
from models.engine import create

# A busy pooler may happen to give a connection the same session twice.
LOOKS = 3
_SESSION = "SELECT pg_backend_pid()"


class SharedSessions(click.ClickException):
    """A command that needs a session of its own reaches PostgreSQL through a pooler in transaction mode."""

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_URL leads through a pooler in transaction mode, where this command's locks and settings would be"
            " left to others: name PostgreSQL itself in DATABASE_URL for this command."
        )


def shares_sessions(one: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> bool:
    """Whether a pooler in transaction mode runs the statements of these connections in sessions that they share.

    Args:
        one: in autocommit mode.
        other: without it, and in no transaction.
    """
    for _ in range(LOOKS):
        own, others = (each.execute(_SESSION, prepare=False).fetchone() for each in (one, other))
        is_shared = own == others or one.execute(_SESSION, prepare=False).fetchone() != own
        other.rollback()
        if is_shared:
            return True
    return False


def find_database_url(data_dir: Path) -> str:
    """The address of the database: from the settings, or else from the running `tutelage up`.

    Raises:
        SettingsError: when DATABASE_URL is not set and nothing runs in the data folder.
    """
    if settings().database_url:
        return settings().require_database_url()
    run = read_run(data_dir)
    if run is None:
        nothing = f"nothing runs in {data_dir} (--data-dir names another)"
        raise SettingsError(f"Set DATABASE_URL, or start `tutelage up`: {nothing}.")
    return str(run["database_url"])


@contextmanager
def open_database(data_dir: Path, command: str) -> Iterator[Engine]:
    """An engine of one connection for a command.

    Raises:
        ClickException: the database cannot be reached, or lacks our tables.
    """
    engine = create(find_database_url(data_dir), pool_size=1, name=f"tutelage-{command}", gives_up=False)
    try:
        with explained_errors():
            yield engine
    finally:
        engine.dispose()


@contextmanager
def explained_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise click.ClickException(f"The database cannot be used: {error.orig}".strip()) from error
    except ProgrammingError as error:
        raise click.ClickException(f"The database is not migrated; run tutelage migrate. ({error.orig})") from error
