"""The database of a command: where it is, and its errors in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from cli.run_file import read_run
from config.settings import SettingsError, settings
from models.engine import create


def find_database_url(data_dir: Path) -> str:
    """The address of the database: from the settings, or else from the running `tutelage up`.

    Raises:
        SettingsError: when DATABASE_URL is not set and nothing runs in the data folder.
    """
    if settings().database_url:
        return settings().require_database_url()
    run = read_run(data_dir)
    if run is None:
        raise SettingsError(f"Set DATABASE_URL, or start `tutelage up`: nothing runs in {data_dir}.")
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
