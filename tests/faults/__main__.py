"""`make faults`: a day of the market under faults of every part, and a burst; nothing may be lost or done twice.

Exits with 1 when something is missing, doubled or late, and names it.
"""

import sys
import tempfile
from pathlib import Path
from random import SystemRandom

import click
from rich.console import Console

from tests.faults.burst import Burst, play_burst
from tests.faults.day import a_day, show
from tests.faults.defects import DEFECTS

DISK_MEGABYTES = 1024


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--seed", type=int, default=None, help="Decides on faults and plays; one is drawn and printed.")
@click.option("--seconds", type=click.FloatRange(0), default=300, help="How long faults are made for.")
@click.option("--clients", type=click.IntRange(1, 64), default=4, help="How many play meanwhile.")
@click.option("--mentors", type=click.IntRange(3, 1000), default=200, help="How many sell their time.")
@click.option("--burst", type=click.IntRange(0), default=500, help="Lives of the burst afterwards.")
@click.option("--defect", type=click.Choice(sorted(DEFECTS)), help="Do this wrong: it must be found.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Kept, with its logs; otherwise it goes.")
def main(
    seed: int | None,
    seconds: float,
    clients: int,
    mentors: int,
    burst: int,
    defect: str | None,
    data_dir: Path | None,
) -> None:
    """Make faults in a system of its own while clients play a market, then look whether anything was lost."""
    console = Console(width=None if Console().is_terminal else 140)
    seed = SystemRandom().randrange(1_000_000) if seed is None else seed
    console.print(
        f"Seed {seed}: {seconds:g} s of faults, {mentors} mentors, {clients} clients; a burst of {burst} lives."
    )
    with tempfile.TemporaryDirectory(prefix="tutelage-faults-") as folder:
        # PostgreSQL runs as an ordinary user and must reach it.
        Path(folder).chmod(0o755)
        place, disk = data_dir or Path(folder), 0 if defect else DISK_MEGABYTES
        with a_day(place, seed, mentors, console, defect=defect or "", disk_megabytes=disk) as day:
            good = day.suffer(seconds, clients)
            if burst and not defect:
                good &= _show_burst(play_burst(day.system, burst), console)
    if defect:
        console.print("The defect was missed." if good else "The defect was caught.", style="bold")
    sys.exit(0 if good else 1)


def _show_burst(burst: Burst, console: Console) -> bool:
    console.print(
        f"Burst: {burst.lives} lives within {burst.seconds:.1f} s; done {burst.drained_seconds:.1f} s after its end,"
        f" the oldest delivery then due for {burst.oldest_seconds:.1f} s; fresh accepts had their session within"
        f" {burst.slowest_session_seconds:.2f} s ({burst.fresh} of them)."
    )
    return show(burst.checks(), console, title="After the burst")


if __name__ == "__main__":
    main()
