"""`make fuzz`: generated requests and random lives with other seeds, round by round until the time is over."""

import itertools
import secrets
import subprocess
import sys
import time

import click

from cli.plan import ROOT

TESTS = (
    "tests/contract/test_properties.py",
    "tests/contract/test_links.py",
    "tests/integration/test_lives.py",
    "tests/integration/test_course_sequences.py::test_any_sequence_keeps_every_rule",
    "tests/integration/test_slots.py",
    "tests/unit/test_slots.py",
)
TEST_SECONDS = 1800
# Of lives and of course sequences, which a round plays from its seed on.
SEQUENCES = 20
SLOT_CASES = 400


@click.command(help=__doc__)
@click.option("--minutes", type=click.FloatRange(min=0), default=5, show_default=True, help="New rounds begin so long.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the first round; the others follow. Random without.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Processes.")
def main(minutes: float, seed: int | None, jobs: int) -> None:
    """Run rounds; the exit code is 1 when one of them has found something."""
    first, until = secrets.randbelow(2**31) if seed is None else seed, time.monotonic() + minutes * 60
    for turn, number in enumerate(itertools.count(first, SEQUENCES), 1):
        click.echo(f"Round {turn}, seed {number} …")
        options = ["-n", str(jobs), "--dist", "load", "-q", f"--timeout={TEST_SECONDS}"]
        options += ["--hypothesis-profile=fuzz", f"--hypothesis-seed={number}"]
        options += [f"--sequences={SEQUENCES}", f"--slot-cases={SLOT_CASES}"]
        ended = subprocess.run([sys.executable, "-m", "pytest", *options, *TESTS], cwd=ROOT, check=False)
        if ended.returncode:
            click.echo(f'To repeat it: make fuzz ARGS="--minutes 0 --seed {number}"')
            sys.exit(1)
        if time.monotonic() >= until:
            break


if __name__ == "__main__":
    main()
