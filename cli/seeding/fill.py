"""Write the plan into a database, and leave alone what an earlier run has written already."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, select

from cli.seeding.names import COURSES
from cli.seeding.people import PlannedMentor, PlannedPerson
from cli.seeding.plan import Story
from cli.seeding.play import Players, play
from models.catalog import courses, listings
from models.people import mentor_profiles, users
from workflows.catalog.courses import create_course
from workflows.catalog.listings import publish_listing
from workflows.errors import Conflict
from workflows.identity.actor import Actor
from workflows.identity.people import User, publish_mentor_profile, register_user

# Large enough to be fast, small enough to keep nobody waiting for a mentor's calendar.
AT_ONCE = 10
SEEDER = Actor(operator=True, name="operator:seed")


@dataclass(frozen=True)
class _Bookable:
    """A mentor in the database, with their listings by title."""

    actor: Actor
    listings: dict[str, UUID]


@dataclass
class Filler:
    """Fills one database.

    Args:
        now: the present, UTC.
    """

    engine: Engine
    now: datetime
    added: Counter[str] = field(default_factory=Counter)

    def add_courses(self) -> None:
        """Add the courses that the catalogue does not have yet."""
        with self.engine.begin() as db:
            known = _known_courses(db)
            for title, description in COURSES.values():
                if title not in known:
                    create_course(db, actor=SEEDER, title=title, description=description)
                    self.added["courses"] += 1

    def add_mentors(self, mentors: list[PlannedMentor]) -> None:
        """Register those that are missing, with their profiles and listings, in one transaction."""
        with self.engine.begin() as db:
            known = _known(db, [mentor.person.email for mentor in mentors])
            courses = _known_courses(db)
            for mentor in mentors:
                if mentor.person.email not in known:
                    self._add_mentor(db, mentor, courses.get(mentor.course))

    def add_mentees(self, mentors: list[PlannedMentor], mentees: list[tuple[PlannedPerson, list[Story]]]) -> None:
        """Register those that are missing and play their stories, each mentee's with their account."""
        with self.engine.connect() as db:
            known = _known(db, [person.email for person, _stories in mentees])
            bookable = _find(db, [mentor.person.email for mentor in mentors])
        missing = [(person, stories) for person, stories in mentees if person.email not in known]
        by_place = [bookable[mentor.person.email] for mentor in mentors]
        for first in range(0, len(missing), AT_ONCE):
            with self.engine.begin() as db:
                for person, stories in missing[first : first + AT_ONCE]:
                    mentee = Actor.person(self._register(db, person).id, None)
                    self.added["mentees"] += 1
                    for story in stories:
                        self._play(db, story, mentee, by_place[story.mentor])

    def _add_mentor(self, db: Connection, mentor: PlannedMentor, course_id: UUID | None) -> None:
        user = self._register(db, mentor.person)
        profile = publish_mentor_profile(
            db,
            actor=SEEDER,
            user_id=user.id,
            headline=mentor.headline,
            bio=mentor.bio,
            time_zone=None,
            skills=mentor.skills,
        )
        for place, offer in enumerate(mentor.offers):
            # A mentor has one listing of a course.
            of_course = {"course_id": None if place else course_id}
            publish_listing(db, actor=Actor.person(user.id, profile.id), offer=offer | of_course)
        self.added["mentors"] += 1
        self.added["listings"] += len(mentor.offers)

    def _register(self, db: Connection, person: PlannedPerson) -> User:
        return register_user(db, actor=SEEDER, email=person.email, name=person.name, time_zone=person.time_zone)

    def _play(self, db: Connection, story: Story, mentee: Actor, mentor: _Bookable) -> None:
        listing_id = mentor.listings.get(story.offer)
        if listing_id is None:
            self.added["left out"] += 1
            return
        try:
            with db.begin_nested():
                reviewed = play(db, story, Players(mentee, mentor.actor, listing_id), now=self.now)
        except Conflict:
            # After an interrupted run, somebody may have booked that time.
            self.added["left out"] += 1
        else:
            self.added[story.fate.value] += 1
            self.added["reviews"] += reviewed


def _known(db: Connection, addresses: list[str]) -> set[str]:
    return set(db.scalars(select(users.c.email).where(users.c.email.in_(addresses))))


def _known_courses(db: Connection) -> dict[str | None, UUID]:
    titles = [title for title, _description in COURSES.values()]
    rows = db.execute(select(courses.c.title, courses.c.id).where(courses.c.title.in_(titles)))
    return {row.title: row.id for row in rows}


def _find(db: Connection, addresses: list[str]) -> dict[str, _Bookable]:
    rows = db.execute(
        select(users.c.email, users.c.id, mentor_profiles.c.id.label("mentor_id"), listings.c.id.label("listing_id"))
        .add_columns(listings.c.title)
        .join_from(users, mentor_profiles, mentor_profiles.c.user_id == users.c.id)
        .join(listings, listings.c.mentor_profile_id == mentor_profiles.c.id)
        .where(users.c.email.in_(addresses), listings.c.active)
    )
    found: dict[str, _Bookable] = {}
    for row in rows:
        bookable = found.setdefault(row.email, _Bookable(Actor.person(row.id, row.mentor_id), {}))
        bookable.listings[row.title] = row.listing_id
    return found
