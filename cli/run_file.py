"""run.json: the addresses and processes of a running `tutelage up`, for scripts and other commands."""

import json
import os
from pathlib import Path
from typing import Any

import click

Run = dict[str, Any]
DATA_DIR_OPTION = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".data"),
    show_default=True,
    help="The data folder of `tutelage up`.",
)


class PositiveNumber(click.FloatRange):
    """The type of an option: a number above 0 and up to a bound."""

    def __init__(self, most: float) -> None:
        super().__init__(min=0, max=most, min_open=True)

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; NaN, which passes all bounds, is refused."""
        number: float = super().convert(value, param, ctx)
        return number if number == number else self.fail(f"{value} is no number.", param, ctx)


def read_run(data_dir: Path) -> Run | None:
    """The addresses and processes of the system that runs in this data folder; None before one is ready.

    Raises:
        ClickException: the file cannot be read, e.g. since another user has started the system.
    """
    file = _file(data_dir)
    try:
        content: Run = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from error
    return content


def write_run(data_dir: Path, run: Run) -> None:
    """Replace the file in one step, so that no reader ever sees half of it. It is private: it holds a password."""
    fresh = data_dir / "run.json.new"
    write_private(fresh, json.dumps(run, indent=2) + "\n")
    fresh.replace(_file(data_dir))


def remove_run(data_dir: Path) -> None:
    _file(data_dir).unlink(missing_ok=True)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)


def _file(data_dir: Path) -> Path:
    return data_dir / "run.json"
