"""`tutelage analytics rebuild`: are the counts what the events add up to? And if not, set them right."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from cli.run_file import DATA_DIR_OPTION, find_database_url
from models.engine import create
from workflows.analytics.recount import Difference, Owed, differences, owed, set_right
from workflows.events.subscriptions import load

WIDTH = 140
MOST = 50
_QUEUE = "analytics"


@click.group()
def analytics() -> None:
    """Look after what is counted."""


@analytics.command()
@click.option("--write", is_flag=True, help="Set right what differs; nothing is counted meanwhile.")
@DATA_DIR_OPTION
def rebuild(write: bool, data_dir: Path) -> None:
    """Recount everything from the events.

    Exits with 1 when something differs, or differed still after it was to be set right.
    """
    engine = create(find_database_url(data_dir), pool_size=1, name="tutelage-analytics")
    names = [effect.name for effect in load().database_effects() if effect.queue == _QUEUE]
    with engine.begin() as db:
        found = set_right(db) if write else differences(db)
        left = differences(db) if write else found
        waiting = owed(db, names)
    engine.dispose()
    _tell(found, waiting, written=write)
    if left:
        raise click.ClickException(f"Rows that are not what the events add up to: {len(left)}.")


def _tell(found: list[Difference], waiting: Owed, *, written: bool) -> None:
    if found:
        Console(width=max(Console().width, WIDTH)).print(differences_table(found))
    if found and written:
        click.echo(f"Rows that differed and are set right now: {len(found)}.")
    elif not found:
        click.echo("No count differs from its events.")
    for sentence in _owed_sentences(waiting):
        click.echo(sentence)


def differences_table(found: list[Difference]) -> Table:
    """One line per row that differs, up to a page of them."""
    title = "What differs" if len(found) <= MOST else f"The first {MOST} of {len(found)} that differ"
    table = Table("Table", "Row", "Events say", "Counted was", title=title)
    for each in found[:MOST]:
        table.add_row(each.table, _words(each.key), _words(each.expected), _words(each.found))
    return table


def _words(values: dict[str, object] | dict[str, int] | None) -> str:
    return " ".join(f"{name}={value}" for name, value in (values or {}).items() if value is not None) or "nothing"


def _owed_sentences(waiting: Owed) -> list[str]:
    told = {
        "Waiting to be counted by the workers": waiting.pending,
        "Not to be counted, since their deliveries are dead or cancelled": waiting.given_up,
        "Older than what counts them (see `tutelage effects backfill --since`)": waiting.without_delivery,
    }
    return [f"{what}: {count}." for what, count in told.items() if count]
