"""Seeded courses: their products, their mentors, and the weekly group that one of the mentors holds."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cli.seeding.bookings import EffectRunner
from cli.seeding.dating import date_account
from cli.seeding.people import PlannedMentor, PlannedPerson
from models.catalog import ProductKind
from workflows.accounts.actions import publish_mentor_profile, register_user
from workflows.catalog.courses import create_course
from workflows.catalog.listings import publish_listing
from workflows.catalog.products import create_product
from workflows.groups.schedule import schedule
from workflows.groups.templates import create_template
from workflows.identity.actor import Actor

PRODUCTS: list[dict[str, Any]] = [
    {"kind": ProductKind.SINGLE, "title": "A session", "price_amount": 4_500, "price_currency": "EUR"},
    {
        "kind": ProductKind.BUNDLE,
        "title": "Five sessions",
        "session_count": 5,
        "valid_days": 180,
        "price_amount": 20_000,
        "price_currency": "EUR",
    },
    {"kind": ProductKind.GROUP_SEAT, "title": "A seat in a group", "price_amount": 1_500, "price_currency": "EUR"},
]
SEEDER = Actor(operator=True, name="operator:seed")
WEDNESDAY, EVENING = 2, time(18, 30)
SEATS = 6
AHEAD = timedelta(days=14)


@dataclass(frozen=True)
class Bookable:
    """A mentor in the database, with their listings by title."""

    actor: Actor
    listings: dict[str, UUID]


def add_course(db: Connection, title: str, description: str, products: list[dict[str, Any]] = PRODUCTS) -> UUID:
    """Add a course with its products; returns its id."""
    course = create_course(db, actor=SEEDER, title=title, description=description)
    for product in products:
        create_product(db, actor=SEEDER, course_id=course.id, **product)
    return course.id


def add_person(db: Connection, person: PlannedPerson, *, now: datetime) -> Actor:
    """Register a person whose account is older than their bookings."""
    user = register_user(db, actor=SEEDER, email=person.email, name=person.name, time_zone=person.time_zone)
    date_account(db, user.id, now=now)
    return Actor.person(user.id, None)


def add_mentor(db: Connection, mentor: PlannedMentor, *, now: datetime) -> Bookable:
    """Register a mentor with a profile and listings, as old as their account."""
    user_id = add_person(db, mentor.person, now=now).user_id
    assert user_id is not None
    profile = publish_mentor_profile(
        db,
        actor=SEEDER,
        user_id=user_id,
        headline=mentor.headline,
        bio=mentor.bio,
        time_zone=None,
        skills=mentor.skills,
        languages=mentor.languages,
    )
    actor = Actor.person(user_id, profile.id)
    listings = {each["title"]: publish_listing(db, actor=actor, offer=each).id for each in mentor.offers}
    date_account(db, user_id, now=now)
    return Bookable(actor, listings)


@dataclass(frozen=True)
class GroupPlan:
    """A weekly group of a course, on Wednesday evenings of the mentor's time zone."""

    mentor: Actor
    course_id: UUID
    title: str
    time_zone: str


def schedule_group(db: Connection, plan: GroupPlan, *, now: datetime) -> int:
    """Write the template and schedule the next two weeks; return how many sessions were made."""
    template = create_template(
        db,
        actor=plan.mentor,
        columns={
            "course_id": plan.course_id,
            "title": f"{plan.title}: exercises",
            "weekday": WEDNESDAY,
            "start_time": EVENING,
            "time_zone": plan.time_zone,
            "duration_minutes": 90,
            "capacity": SEATS,
        },
    )
    today = now.astimezone(ZoneInfo(plan.time_zone)).date()
    made = schedule(db, actor=plan.mentor, template=template, first=today, last=today + AHEAD, now=now).made
    effects = EffectRunner(db, now)
    effects.run_immediate()
    return len(made)
