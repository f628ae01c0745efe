"""`tutelage effects`: the effects of each event, in this code and its plug-ins."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from uuid_utils.compat import uuid7

from cli.database import open_database
from cli.operator import cli_operator, mark_as_command
from cli.output import JSON_OPTION, SummaryGroup, counted, print_records
from cli.run_file import DATA_DIR_OPTION
from config.settings import settings
from infrastructure.operator_policy import operator_policy
from workflows.audit.log import write_audit_entry
from workflows.events.backfill import fill_gaps, introduce
from workflows.events.delivery import RetryPolicy
from workflows.events.event_types import announced_types
from workflows.events.subscriptions import Effect, OutboundEffect, Subscriptions, load
from workflows.kernel.clock import CLOCK_SKEW

UNITS = (("h", 3600), ("min", 60), ("s", 1))


@click.group(cls=SummaryGroup, invoke_without_command=True)
@JSON_OPTION
@click.pass_context
def effects(context: click.Context, as_json: bool) -> None:
    """Print the table of event, effect, queue and retry policy."""
    if context.invoked_subcommand is None:
        rows = list(effect_rows(load().with_policy(operator_policy(settings()))))
        if as_json:
            rows = [{heading.lower(): value for heading, value in row.items()} for row in rows]
        print_records(rows, as_json=as_json, title="Effects of each event")


@effects.command()
@click.option(
    "--since", type=click.DateTime(), help="How far to look back, UTC. By default: when each effect was first seen."
)
@DATA_DIR_OPTION
def backfill(since: datetime | None, data_dir: Path) -> None:
    """Write the deliveries that are missing, e.g. for a new effect and old events."""
    # The ids of events can tell no earlier moment.
    earliest = max(since.replace(tzinfo=UTC), datetime.fromtimestamp(0, UTC) + CLOCK_SKEW) if since else None
    with open_database(data_dir, "backfill") as engine, engine.begin() as db:
        mark_as_command(db)
        introduce(db, load())
        now = datetime.now(UTC)
        count = fill_gaps(db, load(), now=now, since=earliest)
        write_audit_entry(
            db,
            actor=cli_operator(),
            action="effects.backfilled",
            subject=("backfill", uuid7()),
            data={"since": since.isoformat() if since else None, "deliveries": count},
            now=now,
        )
    missing = counted(count, "missing delivery", "missing deliveries")
    click.echo(f"Wrote {missing}." if count else "No delivery was missing.")


def effect_rows(found: Subscriptions) -> Iterator[dict[str, object]]:
    """One row an effect, ordered by event; outbound effects come last."""
    for effect in sorted(found.database_effects(), key=lambda effect: (effect.event.type, effect.name)):
        event_type = effect.event.type
        yield _row("every event" if event_type == "*" else event_type, effect, _when(effect))
    if found.fan_out is not None:
        for event_type in announced_types():
            yield _row(event_type, found.fan_out.effect, "per endpoint")
    for outside in found.outbound_effects():
        yield _row("(outbound)", outside, "per receiver")


def _row(event: str, effect: Effect | OutboundEffect[Any], runs: str) -> dict[str, object]:
    retries = describe_policy(effect.policy)
    return {"Event": event, "Effect": effect.name, "Queue": effect.queue, "Runs": runs, "Retries": retries}


def describe_policy(policy: RetryPolicy) -> str:
    """E.g. "8 attempts over about 24 h"."""
    total = sum(policy.pauses)
    name, size = next((unit for unit in UNITS if total >= unit[1]), UNITS[-1])
    return f"{policy.attempts} attempts over about {total / size:.0f} {name}"


def _when(effect: Effect) -> str:
    time = "at a later time" if effect.due else "at once"
    return f"{time}, per target" if effect.targets else time
