"""`tutelage deliveries`: list, retry and cancel deliveries in the database, also while the API is down."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from string import hexdigits
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.database import open_database
from cli.operator import cli_operator, mark_as_command
from cli.output import JSON_OPTION, SummaryGroup, print_records
from cli.run_file import DATA_DIR_OPTION
from models.events import DeliveryState
from workflows.events.delivery import DeliveryStatus
from workflows.events.status import statuses_by_id_query
from workflows.kernel.errors import DomainError
from workflows.kernel.paging import Page
from workflows.operators.deliveries import DELIVERIES, cancel_delivery, retry_deliveries, retry_delivery

# Digits of an id that are enough to name a delivery, as long as no other one begins with them; and as many as lists
# show. Deliveries of one minute have the first four in common.
MIN_ID_DIGITS = 8
SHORT_ID_DIGITS = 12
_ID_DIGITS = 32


class DeliveryId(click.ParamType[str]):
    """The id of a delivery, or the first digits of one, 8 at least."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        digits = _digits(value)
        if not MIN_ID_DIGITS <= len(digits) <= _ID_DIGITS or set(digits) - set(hexdigits.lower()):
            self.fail(
                f"{value} is not the id of a delivery, nor {MIN_ID_DIGITS} or more of its first digits.", param, ctx
            )
        return value


IDS = click.argument("ids", nargs=-1, type=DeliveryId(), metavar="ID...")
EFFECT = click.option("--effect", help="Only deliveries of this effect, e.g. mail.send.")


@click.group(cls=SummaryGroup)
def deliveries() -> None:
    """List, retry and cancel deliveries; what becomes due, the sweep finds within a second."""


@deliveries.command(name="list")
@click.option("--state", type=click.Choice([each.value for each in DeliveryState]), help="Only those in this state.")
@EFFECT
@click.option("--about", type=click.UUID, help="Only deliveries of events about this session, booking, bundle, …")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@JSON_OPTION
@DATA_DIR_OPTION
def list_deliveries(
    state: str | None, effect: str | None, about: UUID | None, limit: int, as_json: bool, data_dir: Path
) -> None:
    """Print the deliveries, the newest events first. The short ids are enough to retry or cancel."""
    filters = {"state": DeliveryState(state) if state else None, "effect": effect, "subject_id": about}
    with _transaction(data_dir) as db:
        found = DELIVERIES.page(db, Page(limit), **filters)
    print_records([_as_json(each) if as_json else _as_row(each) for each in found.items], as_json=as_json)
    if found.next:
        click.echo(f"There are more than these {limit}: see --limit.", err=True)


def _as_row(each: DeliveryStatus) -> dict[str, object]:
    return {
        "Id": each.id.hex[:SHORT_ID_DIGITS],
        "Effect": each.effect,
        "State": each.state,
        "Attempts": each.attempts,
        "Due": f"{each.due_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}",
        "Event": each.event_type,
        "About": f"{each.subject_type} {each.subject_id}",
        "For": each.target or None,
        "Last error": each.last_error,
    }


def _as_json(each: DeliveryStatus) -> dict[str, object]:
    return {
        "id": each.id,
        "effect": each.effect,
        "target": each.target or None,
        "state": each.state,
        "attempts": each.attempts,
        "dueAt": each.due_at.astimezone(UTC).isoformat(),
        "eventType": each.event_type,
        "subjectType": each.subject_type,
        "subjectId": each.subject_id,
        "lastError": each.last_error,
    }


@deliveries.command()
@IDS
@click.option("--all-dead", is_flag=True, help="All that are dead, 10,000 at most, 25 a second of each effect.")
@EFFECT
@click.option("--since", type=click.DateTime(), help="With --all-dead: only deliveries of events from then on, UTC.")
@DATA_DIR_OPTION
def retry(ids: tuple[str, ...], all_dead: bool, effect: str | None, since: datetime | None, data_dir: Path) -> None:
    """Give dead deliveries all their attempts again: the ones with these ids, or all."""
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
def cancel(ids: tuple[str, ...], reason: str | None, data_dir: Path) -> None:
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
    """One transaction: if one of several ids is refused, none of them is changed."""
    with open_database(data_dir, "deliveries") as engine:
        try:
            with engine.begin() as db:
                mark_as_command(db)
                yield db
        except DomainError as error:
            raise click.ClickException(str(error)) from error


def _found(db: Connection, ids: tuple[str, ...]) -> Iterator[DeliveryStatus]:
    for word in ids:
        first, last = (UUID(_digits(word).ljust(_ID_DIGITS, filled)) for filled in "0f")
        found = db.execute(statuses_by_id_query(first, last)).all()
        if not found:
            raise click.ClickException(f"There is no delivery {word}.")
        if len(found) > 1:
            raise click.ClickException(f"More than one delivery begins with {word}: give more of its digits.")
        yield DeliveryStatus.of(found[0])


def _digits(word: str) -> str:
    return word.replace("-", "").lower()
