"""`tutelage seed`: believable people, offers, bookings and sessions, made as the system itself would have made them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from cli.addresses import DATA_DIR_OPTION, find_database_url
from cli.invariants import findings_table
from cli.seeding.fill import Filler
from cli.seeding.people import plan_mentees, plan_mentors
from cli.seeding.plan import Fate, Planner
from config.settings import settings
from models.engine import create
from workflows.invariants import check_all

MEANINGS = {
    "mentors": "Mentors, with skills and a time zone",
    "listings": "Listings, on request and instant",
    "courses": "Courses, taught by those mentors who have the skill",
    "mentees": "Mentees",
    Fate.DRAFT: "Bookings that wait for a decision (draft)",
    Fate.DECLINED: "Bookings declined",
    Fate.CANCELLED: "Bookings cancelled by the mentee",
    Fate.EXPIRED: "Bookings cancelled, since nobody decided in time",
    Fate.SCHEDULED: "Bookings accepted, their session scheduled",
    Fate.IN_PROGRESS: "Bookings accepted, their session in progress",
    Fate.COMPLETED: "Bookings accepted, their session completed",
    "reviews": "Reviews of completed sessions, some of them answered",
    "left out": "Bookings left out, since their time is taken",
}


@click.command()
@click.option("--mentors", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--mentees", type=click.IntRange(0, 5000), default=200, show_default=True)
@click.option("--seed", "seed_number", default=1, show_default=True, help="Another number makes other people.")
@DATA_DIR_OPTION
def seed(mentors: int, mentees: int, seed_number: int, data_dir: Path) -> None:
    """Fill the database with mentors, mentees and bookings in every state; what is there already is not added again.

    What follows from each event in the database follows at once; the mails are left to the workers of `tutelage up`.
    """
    if settings().production:
        raise click.ClickException("TUTELAGE_ENV is production, and invented people do not belong there.")
    began = monotonic()
    engine = create(find_database_url(data_dir), pool_size=1, name="tutelage-seed")
    try:
        added = fill(engine, mentors=mentors, mentees=mentees, seed=seed_number, now=datetime.now(UTC))
        _tell(added, monotonic() - began)
        _check_invariants(engine)
    except OperationalError as error:
        raise click.ClickException(f"The database cannot be used: {error.orig}".strip()) from error
    except ProgrammingError as error:
        raise click.ClickException(f"The database is not migrated; run tutelage migrate. ({error.orig})") from error
    finally:
        engine.dispose()


def fill(engine: Engine, *, mentors: int, mentees: int, seed: int, now: datetime) -> Counter[str]:
    """Add what is missing, and say how much of what that was.

    Args:
        seed: whoever takes the same number finds the same people, with the same stories relative to `now`.
        now: the present, UTC.
    """
    planned = plan_mentors(seed, mentors)
    planner = Planner(seed, planned, now)
    # Every story is planned, whoever is there already, so that those who are missing find the same calendars.
    stories = [(person, planner.stories_of(place)) for place, person in enumerate(plan_mentees(seed, mentees), start=1)]
    filler = Filler(engine, now)
    filler.add_courses()
    filler.add_mentors(planned)
    filler.add_mentees(planned, stories)
    return filler.added


def _tell(added: Counter[str], seconds: float) -> None:
    if not added:
        click.echo("Everything of this seed is there already; nothing was added. Another --seed makes other people.")
        return
    table = Table("Added", "", title=f"Seeded in {seconds:.1f} seconds")
    for name, meaning in MEANINGS.items():
        if added[name]:
            table.add_row(meaning, str(added[name]))
    Console().print(table)
    click.echo("Their mails are sent by the workers: at once where the system runs, otherwise when it is started.")


def _check_invariants(engine: Engine) -> None:
    with engine.connect() as db:
        findings = check_all(db)
    if any(finding.violations for finding in findings):
        Console().print(findings_table(findings))
        raise click.ClickException("The database holds what must not be there; `tutelage invariants` shows where.")
    click.echo("Every invariant holds.")
