"""`make faults-long`: faults in every part at full load, and a burst; nothing may be lost, and all is quiet soon.

Exits with 1 when something is missing, doubled or late, and names it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom

import click
from rich.console import Console
from rich.table import Table

from cli.run_file import read_run
from tests.booking_system import Tutelage, running_tutelage
from tests.faults.burst import Burst, play_burst
from tests.faults.checks import QUIET_SECONDS, Check, check, wait_until_quiet
from tests.faults.clients import Client, Crowd, Record
from tests.faults.faults import Fault, Faults
from tests.load import Connection
from tests.receivers import HttpReceiver, http_receiver

SHOWN = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--seed", type=int, default=None, help="Decides which faults come when; one is drawn and printed.")
@click.option("--seconds", type=click.FloatRange(0), default=300, help="How long faults are made for.")
@click.option("--clients", type=click.IntRange(1, 64), default=4, help="How many play lives meanwhile.")
@click.option("--burst", type=click.IntRange(0), default=500, help="Lives of the burst afterwards.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Kept, with its logs; otherwise it goes.")
def main(seed: int | None, seconds: float, clients: int, burst: int, data_dir: Path | None) -> None:
    """Make faults in a system of its own while clients play lives, then look whether anything was lost."""
    console = Console(width=None if Console().is_terminal else 140)
    seed = SystemRandom().randrange(1_000_000) if seed is None else seed
    console.print(f"Seed {seed}: {seconds:g} s of faults, {clients} clients; then a burst of {burst} lives.")
    good = True
    with tempfile.TemporaryDirectory(prefix="tutelage-faults-") as folder:
        # PostgreSQL runs as an ordinary user and must reach it.
        Path(folder).chmod(0o755)
        place = data_dir or Path(folder) / "data"
        with http_receiver() as inbox, running_tutelage(place) as system:
            system.add_offers()
            system.add_endpoint(inbox.url)
            if seconds:
                run = read_run(place)
                assert run is not None
                faults = Faults(place, seed, run["redis_url"])
                good = suffer(system, faults, inbox, console, seconds=seconds, clients=clients)
            if burst:
                good &= _show_burst(play_burst(system, burst), console)
    sys.exit(0 if good else 1)


def suffer(
    system: Tutelage, faults: Faults, inbox: HttpReceiver, console: Console, *, seconds: float, clients: int
) -> bool:
    """Make faults for so long under the load of so many clients, print what came of them, and look at everything.

    Returns:
        Whether nothing is missing, doubled or late.
    """
    alone = Record()
    example = Client(system, alone, Connection(system.url)).live()
    wait_until_quiet(system.database_url, time.monotonic())
    crowd = Crowd(system, clients)
    made: list[Fault] = []
    began = time.monotonic()
    for fault in faults.make(seconds):
        made.append(fault)
        console.log(fault.name)
    last = max((fault.until for fault in made), default=time.monotonic())
    record = crowd.stop()
    took, owed = wait_until_quiet(system.database_url, last)
    console.print(_faults_table(made, record, began))
    _show_load(record, time.monotonic() - began, console)
    quiet = Check(f"quiet within {QUIET_SECONDS} s of the last fault: {took:.1f} s", 1, owed)
    record.lives = alone.lives + record.lives
    listings = [offer.listing_id for offer in system.offers]
    found = check(system.database_url, record, example, listings, inbox, system.data_dir / "mail")
    return show([quiet, *found], console, title="After the faults")


def show(checks: Sequence[Check], console: Console, *, title: str) -> bool:
    """Print what was looked at; whether all of it is as it must be."""
    table = Table("What must hold", "looked at", "wrong", title=title)
    for each in checks:
        table.add_row(each.name, str(each.looked_at), str(len(each.wrong)), style="bold red" if each.wrong else "green")
    console.print(table)
    for each in checks:
        if each.wrong:
            console.print(f"{each.name}:", *each.wrong[:SHOWN], sep="\n  ", style="red", markup=False)
    return not any(each.wrong for each in checks)


def _faults_table(made: Sequence[Fault], record: Record, began: float) -> Table:
    table = Table(
        "at s", "fault", "lasted s", "first 2xx of a change after s", "first session read after s", title="Faults"
    )
    answered, read = sorted(record.answered_at), sorted(record.sessions_read_at)
    for fault in made:
        table.add_row(
            f"{fault.at - began:.1f}",
            fault.name,
            f"{fault.until - fault.at:.1f}",
            _first_after(answered, fault.at),
            _first_after(read, fault.at),
        )
    return table


def _first_after(moments: Sequence[float], at: float) -> str:
    place = bisect_left(moments, at)
    return f"{moments[place] - at:.2f}" if place < len(moments) else "–"


def _show_load(record: Record, seconds: float, console: Console) -> None:
    sessions = sorted(life.session_seconds for life in record.lives if life.session_seconds is not None)
    slowest = f"{sessions[-1]:.1f} s" if sessions else "–"
    console.print(
        f"{len(record.completed)} lives in {seconds:.0f} s; requests sent again: {record.retries or 'none'};"
        f" slowest session after its accept was sent: {slowest}."
    )


def _show_burst(burst: Burst, console: Console) -> bool:
    console.print(
        f"Burst: {burst.lives} lives within {burst.seconds:.1f} s; done {burst.drained_seconds:.1f} s after its end,"
        f" the oldest delivery then due for {burst.oldest_seconds:.1f} s; fresh accepts had their session within"
        f" {burst.slowest_session_seconds:.2f} s ({burst.fresh} of them)."
    )
    return show(burst.checks(), console, title="After the burst")


if __name__ == "__main__":
    main()
