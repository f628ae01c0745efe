"""`tutelage deliveries`: list, retry and cancel deliveries in the database itself, also while the API is down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from cli.database import open_database
from cli.operator import cli_operator, mark_as_command
from cli.run_file import DATA_DIR_OPTION
from models.events import DeliveryState
from workflows.errors import DomainError
from workflows.events.delivery import DeliveryStatus
from workflows.events.store import status_query
from workflows.operations import DELIVERIES, cancel_delivery, retry_deliveries, retry_delivery
from workflows.paging import Page

IDS = click.argument("ids", nargs=-1, type=click.UUID, metavar="ID...")
EFFECT = click.option("--effect", help="Only those of this effect, e.g. mail.send.")


@click.group()
def deliveries() -> None:
    """List, retry and cancel deliveries; what becomes due, the sweep finds within a second."""


@deliveries.command(name="list")
@click.option("--state", type=click.Choice([each.value for each in DeliveryState]), help="Only those in this state.")
@EFFECT
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@DATA_DIR_OPTION
def list_deliveries(state: str | None, effect: str | None, limit: int, data_dir: Path) -> None:
    """Print the deliveries, those of the newest events first."""
    filters = {"state": DeliveryState(state) if state else None, "effect": effect}
    with _transaction(data_dir) as db:
        found = DELIVERIES.page(db, Page(limit), **filters)
    table = Table("Id", "Effect", "State", "Attempts", "Due (UTC)", "Event", "Last error")
    for each in found.items:
        due, event = f"{each.due_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", f"{each.event_type} {each.subject_id}"
        table.add_row(str(each.id), each.effect, each.state, str(each.attempts), due, event, each.last_error)
    # Wide enough for whole ids wherever it goes: they are for copying.
    Console(width=max(Console().width, 240)).print(table)
    if found.next:
        click.echo(f"There are more than these {limit}: see --limit.")


@deliveries.command()
@IDS
@click.option("--all-dead", is_flag=True, help="All that are dead, 10,000 at most, 25 a second of each effect.")
@EFFECT
@click.option("--since", type=click.DateTime(), help="With --all-dead: only those of events from then on, UTC.")
@DATA_DIR_OPTION
def retry(ids: tuple[UUID, ...], all_dead: bool, effect: str | None, since: datetime | None, data_dir: Path) -> None:
    """Give dead deliveries all their attempts again: those of these ids, or all of them."""
    if bool(ids) == all_dead or (ids and (effect or since)):
        raise click.UsageError("Give either ids, or --all-dead with --effect and --since where they are wanted.")
    now, operator = datetime.now(UTC), cli_operator()
    with _transaction(data_dir) as db:
        for each in _found(db, ids):
            retry_delivery(db, actor=operator, delivery=each, now=now)
        count = len(ids)
        if all_dead:
            first = since.replace(tzinfo=UTC) if since else None
            count = retry_deliveries(db, actor=operator, now=now, effect=effect, since=first).retried
    click.echo(f"Retried: {count}.")


@deliveries.command()
@IDS
@click.option("--reason", help="Kept as the delivery's last error, and in the audit.")
@DATA_DIR_OPTION
def cancel(ids: tuple[UUID, ...], reason: str | None, data_dir: Path) -> None:
    """End pending or dead deliveries as cancelled, for good."""
    if not ids:
        raise click.UsageError("Give the ids of the deliveries.")
    operator = cli_operator()
    with _transaction(data_dir) as db:
        for each in _found(db, ids):
            cancel_delivery(db, actor=operator, delivery=each, now=datetime.now(UTC), reason=reason)
    click.echo(f"Cancelled: {len(ids)}.")


@contextmanager
def _transaction(data_dir: Path) -> Iterator[Connection]:
    """All or nothing: what one of several ids does not allow is done to none of them."""
    with open_database(data_dir, "deliveries") as engine:
        try:
            with engine.begin() as db:
                mark_as_command(db)
                yield db
        except DomainError as error:
            raise click.ClickException(str(error)) from error


def _found(db: Connection, ids: tuple[UUID, ...]) -> Iterator[DeliveryStatus]:
    for each in ids:
        row = db.execute(status_query(each)).one_or_none()
        if row is None:
            raise click.ClickException(f"There is no delivery {each}.")
        yield DeliveryStatus.of(row)
