"""`tutelage up`: the whole system on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import click

from cli.addresses import DATA_DIR_OPTION
from cli.lock import AlreadyRunning
from cli.plan import PlanError
from cli.reload import reloading
from cli.servers import ServerError
from cli.system import System, running_system

EXPLANATION = """
Tutelage is ready.
  API       {api}
  Docs      {api}/api/docs
  Flower    {flower}
  Data      {data}   (logs in {data}/logs, addresses and processes in {data}/run.json)
{identity}
Press Ctrl-C to stop."""
BY_TOKEN = """
  A token for a user:     tutelage token --user ID [--mentor ID]
  A token for operators:  tutelage token --operator"""
BY_HEADERS = """
  Development believes the header X-User-Id: ID (and X-Mentor-Profile-Id: ID for a mentor) without a token."""


@click.command()
@click.option("--port", default=8000, show_default=True, help="Of the API; 0 picks a free one.")
@click.option("--flower-port", default=5555, show_default=True, help="Of Flower; 0 picks a free one.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave out a part, e.g. flower. May be repeated.")
@click.option("--reload", is_flag=True, help="Start our own parts again when their code changes.")
@DATA_DIR_OPTION
def up(port: int, flower_port: int, without: tuple[str, ...], reload: bool, data_dir: Path) -> None:
    """Run everything: PostgreSQL, Valkey, the API, a worker per queue, the sweep, maintenance and Flower."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.echo("Starting …")
    try:
        with ExitStack() as stack:
            running = running_system(data_dir=data_dir, port=port, flower_port=flower_port, without=without)
            system = stack.enter_context(running)
            if reload:
                stack.enter_context(reloading(system))
            click.echo(explain(system))
            system.wait()
    except KeyboardInterrupt:
        click.echo("Stopped.")
    except (AlreadyRunning, PlanError, ServerError) as error:
        raise click.ClickException(str(error)) from error


def explain(system: System) -> str:
    """Where everything is, and how to be somebody."""
    run = system.run
    open_headers = system.plan.environment["IDENTITY_HEADERS"] == "open"
    return EXPLANATION.format(
        api=run["api"]["url"] or "(left out)",
        flower=run["flower"]["url"] or "(left out)",
        data=system.data_dir,
        identity=BY_TOKEN + (BY_HEADERS if open_headers else ""),
    )
