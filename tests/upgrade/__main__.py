"""`make upgrade`: from the release before to this version and back, part by part, while a market is played.

Exits with 1 when a request failed, or anything is missing or doubled, and names it.
"""

import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from cli.embedded import start_postgres
from tests.embedded_servers import start_valkey
from tests.upgrade.release import NoReleaseBefore
from tests.upgrade.rollover import an_upgrade


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--seconds", type=click.FloatRange(0), default=30, help="How long clients play between the steps.")
@click.option("--clients", type=click.IntRange(1, 64), default=4, help="How many play.")
@click.option("--mentors", type=click.IntRange(3, 1000), default=100, help="How many sell their time.")
@click.option("--seed", type=int, default=1, help="Decides on the order in which parts are replaced.")
@click.option("--statement", default="", help="SQL to run after the migrations: a defect of an upgrade, to be found.")
def main(seconds: float, clients: int, mentors: int, seed: int, statement: str) -> None:
    """Upgrade a system of the release before while clients play a market, go back, and look for what went wrong."""
    console = Console(width=None if Console().is_terminal else 140)
    with tempfile.TemporaryDirectory(prefix="tutelage-upgrade-") as name:
        folder = Path(name)
        # PostgreSQL runs as an ordinary user and must reach it.
        folder.chmod(0o755)
        postgres, valkey = start_postgres(folder / "postgres"), start_valkey(folder / "redis")
        try:
            with an_upgrade(folder, postgres.url, valkey.url, mentors, console) as upgrade:
                good = upgrade.play(clients, seconds=seconds, seed=seed, statement=statement)
        except NoReleaseBefore as error:
            raise click.ClickException(str(error)) from None
        finally:
            valkey.stop()
            postgres.stop()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
