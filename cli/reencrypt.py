"""`tutelage reencrypt`: encrypt stored values with the first of ENCRYPTION_KEYS, while the system runs."""

from pathlib import Path

import click
from sqlalchemy import Engine, text

from cli.database import open_database
from cli.operator import audit_command
from cli.output import counted
from cli.run_file import DATA_DIR_OPTION
from config.sealing import Sealer, UnsealError
from config.settings import settings
from workflows.privacy.reencryption import (
    MAX_ROUNDS,
    PAGE_ROWS,
    SEALED_TABLES,
    Progress,
    Recoding,
    SealedTable,
    Unreadable,
    recode_table,
    rows_left,
)

COUNT_TIMEOUT_SECONDS = 600


@click.command()
@click.option("--count", is_flag=True, help="Only tell how many rows are left.")
@click.option("--page", "page_rows", type=click.IntRange(1, 10_000), default=PAGE_ROWS, show_default=True)
@DATA_DIR_OPTION
def reencrypt(count: bool, page_rows: int, data_dir: Path) -> None:
    """Encrypt stored notes, addresses and secrets with the first of ENCRYPTION_KEYS.

    In pages, beside all that runs; it can be ended and begun again at any time. Exits with 1 while rows are left.
    """
    recoding = present_recoding(Sealer(settings().encryption_keys))
    left = 0
    with open_database(data_dir, "reencrypt") as engine:
        if not count:
            audit_command(engine, "stored_secrets.reencrypted", "reencryption", {})
        for sealed in SEALED_TABLES:
            done = Progress(sealed.table.name, 0, 0) if count else _recode(engine, sealed, recoding, page_rows)
            of_table = count_left(engine, sealed, recoding)
            left += of_table
            unreadable = f", {done.unreadable} of them under a key that is gone" if done.unreadable else ""
            written = "" if count else f"{counted(done.written, 'row', 'rows')} written, "
            click.echo(f"{done.table}: {written}{of_table} left{unreadable}.")
    if left:
        raise click.ClickException("Rows are left: they were in use, or written meanwhile. Run it again.")


def present_recoding(sealer: Sealer) -> Recoding:
    """Everything under the first key."""

    def value(stored: str) -> str:
        try:
            return sealer.seal(sealer.unseal(stored))
        except UnsealError as error:
            raise Unreadable from error

    return Recoding(sealer.mark, value)


def count_left(engine: Engine, sealed: SealedTable, recoding: Recoding) -> int:
    with engine.begin() as db:
        db.execute(text(f"SET LOCAL statement_timeout = '{COUNT_TIMEOUT_SECONDS}s'"))
        return rows_left(db, sealed, recoding)


def _recode(engine: Engine, sealed: SealedTable, recoding: Recoding, page_rows: int) -> Progress:
    written = unreadable = 0
    for _round in range(MAX_ROUNDS):
        last = Progress(sealed.table.name, 0, 0)
        for last in recode_table(engine, sealed, recoding, page_rows=page_rows):
            click.echo(f"{last.table}: {counted(written + last.written, 'row', 'rows')} written", err=True)
        written, unreadable = written + last.written, last.unreadable
        if count_left(engine, sealed, recoding) <= unreadable:
            break
    return Progress(sealed.table.name, written, unreadable)
