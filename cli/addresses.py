"""Which servers a command talks to: those that the settings name, or else those of the `tutelage up` that runs."""

from __future__ import annotations

from pathlib import Path

import click

from cli.run_file import read_run
from config.settings import SettingsError, settings

DATA_DIR_OPTION = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".data"),
    show_default=True,
    help="The data folder of `tutelage up`.",
)


def find_database_url(data_dir: Path) -> str:
    """The address of the database.

    Raises:
        SettingsError: when DATABASE_URL is not set and nothing runs in the data folder.
    """
    return _find(settings().database_url, "DATABASE_URL", "database_url", data_dir)


def find_redis_url(data_dir: Path) -> str:
    """The address of Redis; errors as for find_database_url."""
    return _find(settings().redis_url, "REDIS_URL", "redis_url", data_dir)


def _find(setting: str, variable: str, key: str, data_dir: Path) -> str:
    if setting:
        return setting
    run = read_run(data_dir)
    if run is None:
        raise SettingsError(f"Set {variable}, or start `tutelage up`: nothing runs in {data_dir}.")
    return str(run[key])
