"""`tutelage seed`: realistic people, listings, bookings and sessions, made by the system's own workflows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Connection, Engine, exists, select
from sqlalchemy.dialects.postgresql import distinct_on

from cli.database import open_database
from cli.invariants import findings_table
from cli.run_file import DATA_DIR_OPTION
from cli.seeding.bookings import Outcome, Parties, PlannedBooking, Planner, carry_out
from cli.seeding.component import add_demo_people
from cli.seeding.courses import PRODUCTS, Bookable, GroupPlan, add_course, add_mentor, add_person, schedule_group
from cli.seeding.people import (
    COURSES,
    MAX_MENTEES,
    MAX_MENTORS,
    PlannedMentor,
    PlannedPerson,
    plan_mentees,
    plan_mentors,
)
from config.sealing import Sealer, use_sealer
from config.settings import settings
from models.catalog import courses, listings
from models.groups import group_session_templates
from models.people import mentor_profiles, users
from workflows.identity.actor import Actor
from workflows.invariants import check_all
from workflows.kernel.errors import Conflict

MEANINGS = {
    "mentors": "Mentors, with skills and a time zone",
    "listings": "Listings, on request and instant",
    "courses": "Courses, taught by those mentors who have the skill",
    "products": "Products of these courses: single sessions, bundles, seats in groups",
    "groups": "Group sessions in the next two weeks",
    "mentees": "Mentees",
    Outcome.DRAFT: "Bookings that wait for a decision (draft)",
    Outcome.DECLINED: "Bookings declined",
    Outcome.CANCELLED: "Bookings cancelled by the mentee",
    Outcome.EXPIRED: "Bookings cancelled, since they were not decided in time",
    Outcome.AWAITING_PAYMENT: "Bookings accepted, their payment awaited",
    Outcome.SCHEDULED: "Bookings accepted, their session scheduled",
    Outcome.IN_PROGRESS: "Bookings accepted, their session in progress",
    Outcome.COMPLETED: "Bookings accepted, their session completed",
    "reviews": "Reviews of completed sessions, some of them answered",
    "demo": "People of the demo pages at /component/demo, with what they offer and have booked",
    "left out": "Bookings left out, since their time is taken",
}


_PROGRESS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


@click.command()
@click.option("--mentors", type=click.IntRange(1, MAX_MENTORS), default=20, show_default=True)
@click.option("--mentees", type=click.IntRange(0, MAX_MENTEES), default=200, show_default=True)
@click.option("--seed", "seed_number", default=1, show_default=True, help="Another number makes other people.")
@DATA_DIR_OPTION
def seed(mentors: int, mentees: int, seed_number: int, data_dir: Path) -> None:
    """Fill the database with mentors, mentees and bookings in every state; existing ones are not added again.

    Database effects run at once; the workers of `tutelage up` send the mails.
    """
    if settings().production:
        raise click.ClickException("TUTELAGE_ENV is production, and invented people do not belong there.")
    began = monotonic()
    with open_database(data_dir, "seed") as engine:
        now = datetime.now(UTC)
        # On standard error, and only if it is a terminal.
        with Progress(*_PROGRESS, console=Console(stderr=True), transient=True) as progress:
            people = progress.add_task("Adding people and their bookings", total=mentors + mentees)
            report = partial(progress.advance, people)
            added = fill(engine, mentors=mentors, mentees=mentees, seed=seed_number, now=now, report=report)
        added["demo"] = add_demo_people(engine, now=now)
        _report(added, monotonic() - began)
        _check_invariants(engine)


def fill(
    engine: Engine,
    *,
    mentors: int,
    mentees: int,
    seed: int,
    now: datetime,
    report: Callable[[int], object] = lambda _people: None,
) -> Counter[str]:
    """Add people, offers and bookings that are missing, and return how many of each were added.

    Args:
        seed: the same number makes the same people, with the same bookings relative to `now`.
        now: the present, UTC.
        report: called with how many more people are done.
    """
    use_sealer(Sealer(settings().encryption_keys))
    planned = plan_mentors(seed, mentors)
    planner = Planner(seed, planned, now)
    # Every booking is planned, also for existing people: the others find the same calendars.
    plans = [(person, planner.bookings_of(place)) for place, person in enumerate(plan_mentees(seed, mentees), start=1)]
    filler = Filler(engine, now)
    filler.add_courses()
    filler.add_mentors(planned)
    report(len(planned))
    filler.add_mentees(planned, plans, report)
    filler.add_groups()
    return filler.added


def _report(added: Counter[str], seconds: float) -> None:
    if not added.total():
        Console().print(
            "Everything of this seed is there already; nothing was added. Another --seed makes other people."
        )
        return
    table = Table("Added", "How many", title=f"Seeded in {seconds:.1f} seconds")
    for name, meaning in MEANINGS.items():
        if added[name]:
            table.add_row(meaning, str(added[name]))
    Console().print(table)
    Console().print("Their mails are sent by the workers: at once where the system runs, otherwise when it is started.")


def _check_invariants(engine: Engine) -> None:
    with engine.connect() as db:
        findings = check_all(db)
    if any(finding.violations for finding in findings):
        Console().print(findings_table(findings))
        raise click.ClickException("The database holds what must not be there; `tutelage invariants` shows where.")
    click.echo("Every invariant holds.")


# Large enough to be fast, small enough not to hold mentors' calendars for long.
MENTEES_PER_TRANSACTION = 10


@dataclass
class Filler:
    """Fills one database."""

    engine: Engine
    now: datetime  # the present, UTC
    added: Counter[str] = field(default_factory=Counter)

    def add_courses(self) -> None:
        """Add the courses that the catalogue does not have yet."""
        with self.engine.begin() as db:
            known = _known_courses(db)
            for title, description in COURSES.values():
                if title not in known:
                    add_course(db, title, description)
                    self.added["courses"] += 1
                    self.added["products"] += len(PRODUCTS)

    def add_mentors(self, mentors: list[PlannedMentor]) -> None:
        with self.engine.begin() as db:
            known = _known(db, [mentor.person.email for mentor in mentors])
            courses = _known_courses(db)
            for mentor in mentors:
                if mentor.person.email not in known:
                    # A mentor has one listing of a course.
                    first, *others = mentor.offers
                    offers = [first | {"course_id": courses.get(mentor.course)}, *others]
                    add_mentor(db, replace(mentor, offers=offers), now=self.now)
                    self.added["mentors"] += 1
                    self.added["listings"] += len(offers)

    def add_mentees(
        self,
        mentors: list[PlannedMentor],
        mentees: list[tuple[PlannedPerson, list[PlannedBooking]]],
        report: Callable[[int], object],
    ) -> None:
        """Register the missing ones and carry out their plans, each mentee's account and plan together."""
        with self.engine.connect() as db:
            known = _known(db, [person.email for person, _plans in mentees])
            bookable = _find(db, [mentor.person.email for mentor in mentors])
        missing = [(person, plans) for person, plans in mentees if person.email not in known]
        report(len(mentees) - len(missing))
        by_place = [bookable[mentor.person.email] for mentor in mentors]
        for first in range(0, len(missing), MENTEES_PER_TRANSACTION):
            with self.engine.begin() as db:
                for person, plans in missing[first : first + MENTEES_PER_TRANSACTION]:
                    mentee = add_person(db, person, now=self.now)
                    self.added["mentees"] += 1
                    for plan in plans:
                        self._carry_out(db, plan, mentee, by_place[plan.mentor])
            report(len(missing[first : first + MENTEES_PER_TRANSACTION]))

    def add_groups(self) -> None:
        """Schedule a weekly group of each course that is taught and has none, wherever its mentor is free."""
        with self.engine.begin() as db:
            for row in db.execute(_WITHOUT_GROUPS).all():
                mentor = Actor.person(row.user_id, row.mentor_profile_id)
                plan = GroupPlan(mentor, row.course_id, row.title, row.time_zone)
                self.added["groups"] += schedule_group(db, plan, now=self.now)

    def _carry_out(self, db: Connection, plan: PlannedBooking, mentee: Actor, mentor: Bookable) -> None:
        listing_id = mentor.listings.get(plan.offer)
        if listing_id is None:
            self.added["left out"] += 1
            return
        try:
            with db.begin_nested():
                reviewed = carry_out(db, plan, Parties(mentee, mentor.actor, listing_id), now=self.now)
        except Conflict:
            # After an interrupted run, that time may be taken.
            self.added["left out"] += 1
        else:
            self.added[plan.outcome.value] += 1
            self.added["reviews"] += reviewed


# For each course, the mentor with the smallest id.
_WITHOUT_GROUPS = (
    select(courses.c.id.label("course_id"), courses.c.title, mentor_profiles.c.id.label("mentor_profile_id"))
    .add_columns(mentor_profiles.c.user_id, users.c.time_zone)
    .join_from(courses, listings, listings.c.course_id == courses.c.id)
    .join(mentor_profiles, mentor_profiles.c.id == listings.c.mentor_profile_id)
    .join(users, users.c.id == mentor_profiles.c.user_id)
    .where(
        listings.c.active,
        courses.c.title.in_([title for title, _description in COURSES.values()]),
        ~exists().where(group_session_templates.c.course_id == courses.c.id),
    )
    .ext(distinct_on(courses.c.id))
    .order_by(courses.c.id, mentor_profiles.c.id)
)


def _known(db: Connection, addresses: list[str]) -> set[str]:
    return set(db.scalars(select(users.c.email).where(users.c.email.in_(addresses))))


def _known_courses(db: Connection) -> dict[str | None, UUID]:
    titles = [title for title, _description in COURSES.values()]
    rows = db.execute(select(courses.c.title, courses.c.id).where(courses.c.title.in_(titles)))
    return {row.title: row.id for row in rows}


def _find(db: Connection, addresses: list[str]) -> dict[str, Bookable]:
    rows = db.execute(
        select(users.c.email, users.c.id, mentor_profiles.c.id.label("mentor_id"), listings.c.id.label("listing_id"))
        .add_columns(listings.c.title)
        .join_from(users, mentor_profiles, mentor_profiles.c.user_id == users.c.id)
        .join(listings, listings.c.mentor_profile_id == mentor_profiles.c.id)
        .where(users.c.email.in_(addresses), listings.c.active)
    )
    found: dict[str, Bookable] = {}
    for row in rows:
        bookable = found.setdefault(row.email, Bookable(Actor.person(row.id, row.mentor_id), {}))
        bookable.listings[row.title] = row.listing_id
    return found
