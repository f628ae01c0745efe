"""`tutelage import`: bring over what a marketplace had before, as `POST /imports` does, and watch it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Engine

from api.routes.declaration import UPLOAD_LIMIT_BYTES
from api.schemas.imports import read_upload
from cli.database import open_database
from cli.operator import cli_operator, mark_as_command
from cli.run_file import DATA_DIR_OPTION
from config.sealing import Sealer
from config.settings import settings
from infrastructure.operator_policy import operator_policy
from workflows.audit.log import write_audit_entry
from workflows.events.record import drain_recorded, flush_deferred
from workflows.imports.uploads import Import, carry_on, import_query, start_import
from workflows.kernel.errors import Invalid

_PROGRESS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
SHOWN_ERRORS = 20


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only count, and write nothing.")
@click.option("--notify", is_flag=True, help="Let mails, pushes and webhooks follow from what lies ahead.")
@DATA_DIR_OPTION
def import_file(file: Path, *, dry_run: bool, notify: bool, data_dir: Path) -> None:
    """Import the lines of FILE (NDJSON; docs/import.md); lines that are there already are not added again.

    Another run with the same file goes on where this one was interrupted. Fails if a line is refused.
    """
    if file.stat().st_size > UPLOAD_LIMIT_BYTES:
        raise click.ClickException(f"The file is larger than {UPLOAD_LIMIT_BYTES >> 20} MB; split it.")
    try:
        upload = read_upload(file.read_bytes())
    except Invalid as refused:
        raise click.ClickException(refused.message) from refused
    with open_database(data_dir, "import") as engine:
        started = _start(engine, upload=upload, dry_run=dry_run, notify=notify)
        with Progress(*_PROGRESS, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Checking lines" if dry_run else "Importing lines", total=started.lines)
            more = True
            while more:
                more = _step(engine, started)
                progress.update(task, completed=_carried_out(found := _read(engine, started)))
    _report(found)


def _start(engine: Engine, **options: Any) -> Import:
    with engine.begin() as db:
        mark_as_command(db)
        now, actor = datetime.now(UTC), cli_operator()
        started = start_import(db, actor=actor, seal=Sealer(settings().encryption_keys).seal, now=now, **options)
        about: tuple[str, Any] = ("import", started.id)
        write_audit_entry(
            db, actor=actor, action="import.started", subject=about, reason=None, data={"lines": started.lines}, now=now
        )
        drain_recorded(db)
        return started


def _step(engine: Engine, started: Import) -> bool:
    """Carry out a chunk here; workers of a running system take others meanwhile."""
    with engine.begin() as db:
        more = carry_on(db, started.id, policy=operator_policy(settings()), now=datetime.now(UTC))
        flush_deferred(db)
        drain_recorded(db)
        return more


def _read(engine: Engine, started: Import) -> Import:
    with engine.connect() as db:
        return Import.of(db.execute(import_query(started.id)).one())


def _carried_out(found: Import) -> int:
    return found.created + found.updated + found.unchanged + found.refused


def _report(found: Import) -> None:
    table = Table("Lines", "How many", title="Would be imported" if found.dry_run else "Imported")
    for name in ("created", "updated", "unchanged", "refused"):
        table.add_row(name, str(getattr(found, name)))
    Console().print(table)
    for each in found.errors[:SHOWN_ERRORS]:
        click.echo(f"Line {each['line']}: {each['code']}: {each['message']}")
    if found.refused:
        further = f"; GET /imports/{found.id} has up to 1,000" if found.refused > SHOWN_ERRORS else ""
        raise click.ClickException(f"{found.refused} lines were refused{further}.")
