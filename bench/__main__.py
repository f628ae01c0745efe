"""`make bench`: runs the contenders in turn on this machine, round after round, and reports medians and ratios."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from bench.machine import describe
from bench.publish import figures_table, publish
from bench.results import Results
from bench.suite import CLIENTS, CONTENDERS, MANY_BOOKINGS, MEASURES, PRODUCT, Suite

SAVED = Path(__file__).resolve().parent / "results" / "last.json"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--only", multiple=True, type=click.Choice(MEASURES), help="Measure this alone; may be repeated.")
@click.option("--contender", "contenders", multiple=True, type=click.Choice(CONTENDERS), help="With these alone.")
@click.option("--clients", multiple=True, type=click.IntRange(1, 64), default=CLIENTS, help="How many at a time.")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Each contender is measured once in each.")
@click.option(
    "--seconds", type=click.FloatRange(1), default=6, help="How long lives are begun for; rates take half of it."
)
@click.option("--bookings", type=click.IntRange(1), default=MANY_BOOKINGS, help="In the large database of growth.")
@click.option("--publish", "published", is_flag=True, help="Write the figures and plots into docs/.")
@click.option("--json", "saved", type=click.Path(path_type=Path), default=SAVED, help="Where the figures go.")
def main(
    only: Sequence[str],
    contenders: Sequence[str],
    clients: Sequence[int],
    rounds: int,
    seconds: float,
    bookings: int,
    published: bool,
    saved: Path,
) -> None:
    """Measure Tutelage beside other ways to do the same, on servers of its own, alternating round by round."""
    console = Console(width=None if Console().is_terminal else 150)
    results = Results(describe(), rounds)
    suite = Suite(
        results=results,
        measures=only or MEASURES,
        contenders=contenders or CONTENDERS,
        clients=clients,
        life_seconds=seconds,
        rate_seconds=seconds / 2,
        bookings=bookings,
        say=console.log,
    )
    try:
        for number in range(rounds):
            suite.run_round(number)
    finally:
        if results.samples:
            console.print(Markdown(figures_table(results, PRODUCT)))
            results.save(saved)
    if published:
        # Matplotlib belongs to the extra, and takes a second to import.
        from bench.plots import draw  # noqa: PLC0415

        publish(results, PRODUCT)
        draw(results)


if __name__ == "__main__":
    main()
