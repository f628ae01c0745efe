"""`tutelage invariants`: check the invariants in the database now."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from cli.database import open_database
from cli.run_file import DATA_DIR_OPTION
from workflows.invariants import Finding, check_all


@click.command()
@DATA_DIR_OPTION
def invariants(data_dir: Path) -> None:
    """Check every invariant. Exits with 1 when one is violated."""
    with open_database(data_dir, "invariants") as engine, engine.connect() as db:
        require_invariants(db)


def require_invariants(db: Connection) -> None:
    """Print what was found; raise ClickException where an invariant is violated."""
    findings = check_all(db)
    Console().print(findings_table(findings))
    broken = [finding for finding in findings if finding.violations]
    for finding in broken:
        # One a line and whole, even on a narrow screen: they are for copying.
        click.echo("\n".join([f"{finding.name}, for example:", *finding.sample]))
    if broken:
        raise click.ClickException(f"Violated: {', '.join(finding.name for finding in broken)}.")


def findings_table(findings: list[Finding]) -> Table:
    table = Table("Invariant", "Violations", title="What must never be")
    for finding in findings:
        style = "bold red" if finding.violations else "green"
        table.add_row(finding.meaning, str(finding.violations), style=style)
    return table
