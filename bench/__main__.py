"""`make bench`: runs the contenders in turn on this machine, round after round, and reports medians and ratios."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from bench.machine import describe
from bench.profiling import Profiler
from bench.publish import publish
from bench.results import Results, report
from bench.suite import CLIENTS, CONTENDERS, MANY_BOOKINGS, MEASURES, PRODUCT, Suite

FOLDER = Path(__file__).resolve().parent / "results"
SAVED = FOLDER / "last.json"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--only", multiple=True, type=click.Choice(MEASURES), help="Measure this alone; may be repeated.")
@click.option("--contender", "contenders", multiple=True, type=click.Choice(CONTENDERS), help="With these alone.")
@click.option("--clients", multiple=True, type=click.IntRange(1, 64), default=CLIENTS, help="How many at a time.")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Each contender is measured once in each.")
@click.option(
    "--seconds", type=click.FloatRange(1), default=6, help="How long lives are begun for; rates take half of it."
)
@click.option("--bookings", type=click.IntRange(1), default=MANY_BOOKINGS, help="In the large database of growth.")
@click.option("--profile", is_flag=True, help="Record each process with py-spy during lives, and list where it was.")
@click.option("--publish", "published", is_flag=True, help="Write the figures and plots into docs/.")
@click.option("--json", "saved", type=click.Path(path_type=Path), default=SAVED, help="Where the figures go.")
def main(
    only: Sequence[str],
    contenders: Sequence[str],
    clients: Sequence[int],
    rounds: int,
    seconds: float,
    bookings: int,
    profile: bool,
    published: bool,
    saved: Path,
) -> None:
    """Measure Tutelage beside other ways to do the same, on servers of its own, alternating round by round."""
    console = Console(width=None if Console().is_terminal else 150)
    results = Results(describe(), rounds)
    profiler = Profiler(FOLDER / "profiles") if profile else None
    suite = Suite(
        results=results,
        measures=only or MEASURES,
        contenders=contenders or CONTENDERS,
        clients=clients,
        life_seconds=seconds,
        rate_seconds=seconds / 2,
        bookings=bookings,
        profiler=profiler,
        say=console.log,
    )
    try:
        for number in range(rounds):
            suite.run_round(number)
    finally:
        if results.samples:
            for table in report(results, PRODUCT):
                console.print(table)
            for note in results.notes:
                console.print(note)
            results.save(saved)
    if published:
        # Matplotlib belongs to the extra, and takes a second to import.
        from bench.plots import draw  # noqa: PLC0415

        publish(results, PRODUCT)
        draw(results)
    if profiler:
        for table in profiler.tables():
            console.print(table)


if __name__ == "__main__":
    main()
