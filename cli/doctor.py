"""`tutelage doctor`: what is wrong with a setup, in sentences."""

from __future__ import annotations

from pathlib import Path

import click

from cli.addresses import DATA_DIR_OPTION
from cli.checkup import CHECKS, Complaint, Patient


@click.command()
@DATA_DIR_OPTION
@click.option("--port", default=8000, show_default=True, help="Where the API is to listen.")
@click.option("--flower-port", default=5555, show_default=True, help="Where Flower is to listen.")
def doctor(data_dir: Path, port: int, flower_port: int) -> None:
    """Check this machine, the settings and, where they run, the servers. Exits with 1 when something is wrong."""
    patient = Patient(data_dir.absolute(), (port, flower_port))
    complaints = 0
    for check in CHECKS:
        try:
            click.echo(f"ok     {check(patient)}")
        except Complaint as complaint:
            complaints += 1
            click.echo(f"WRONG  {complaint}")
    if complaints:
        raise click.ClickException("One thing is wrong." if complaints == 1 else f"{complaints} things are wrong.")
    click.echo("Everything is fine.")
