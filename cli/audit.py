"""`tutelage audit`: check that no entry of the audit was changed, removed or added."""

from datetime import UTC, datetime
from pathlib import Path

import click

from cli.database import open_database
from cli.output import SummaryGroup, counted
from cli.run_file import DATA_DIR_OPTION
from config.settings import settings
from workflows.audit.chain import DIGEST_BYTES, Problem, is_known_hash, oldest_kept, verify

MAX_SHOWN = 100


@click.group(cls=SummaryGroup)
def audit() -> None:
    """The audit of all changes."""


@audit.command(name="verify")
@click.option(
    "--expect",
    "expected",
    help="The hash of a block as it was noted elsewhere, e.g. in a log line audit.chained: the chain must have it.",
)
@DATA_DIR_OPTION
def verify_chain(expected: str | None, data_dir: Path) -> None:
    """Check every entry against the chain of hashes. Exits with 1 and names the entries that were tampered with."""
    wanted = _hash(expected)
    with open_database(data_dir, "audit") as engine, engine.connect() as db:
        db.execution_options(isolation_level="REPEATABLE READ")
        found = verify(db, kept_since=oldest_kept(datetime.now(UTC), settings().audit_kept_days))
        if wanted is not None and not is_known_hash(db, wanted):
            found.problems.append(Problem(f"The chain has no block of hash {expected}.", found.end.number))
    for problem in found.problems[:MAX_SHOWN]:
        subject = f"entry {problem.entry_id}, " if problem.entry_id else ""
        click.echo(f"{subject}block {problem.block}: {problem.sentence}")
    if found.problems:
        raise click.ClickException(
            f"The audit was tampered with: {counted(len(found.problems), 'problem', 'problems')}."
        )
    entries, blocks = counted(found.entries, "entry", "entries"), counted(found.blocks, "block", "blocks")
    click.echo(f"As they were written: {entries} in {blocks}.")
    click.echo(f"The chain ends with block {found.end.number}, hash {found.end.hash.hex()}.")
    if found.unchained:
        click.echo(f"Entries since {found.unchained:%Y-%m-%d %H:%M:%S} UTC are not chained yet.")


def _hash(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != DIGEST_BYTES:
        raise click.UsageError(f"A hash has {2 * DIGEST_BYTES} hexadecimal digits.")
    return value
