"""Which database a command talks to: the one that the settings name, or else that of the `tutelage up` that runs."""

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
    if named := settings().database_url:
        return named
    run = read_run(data_dir)
    if run is None:
        raise SettingsError(f"Set DATABASE_URL, or start `tutelage up`: nothing runs in {data_dir}.")
    return str(run["database_url"])
