"""A 304 confirms all that a body shows: names, headlines and avatars of other rows too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from models.people import mentor_profiles, users
from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import World
from workflows.accounts.records import Mentor, User
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.reviews.records import Review
from workflows.sessions.records import Session


@dataclass(frozen=True)
class Shown:
    """A course with a mentor, whose sessions the mentee has; and what shows their names."""

    cast: Cast
    course: Course
    listing: Listing
    booking_id: UUID
    session: Session
    group: Session
    review: Review

    def path(self, template: str) -> str:
        ids = {
            "booking": self.booking_id,
            "session": self.session.id,
            "group": self.group.booking_id,
            "group_session": self.group.id,
            "mentor": self.cast.mentor.id,
            "mentee": self.cast.mentee.id,
            "course": self.course.id,
            "review": self.review.id,
        }
        return template.format(**ids)


@pytest.fixture
def shown(world: World, cast: Cast, course: Course, reviewed: Review) -> Shown:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, course_id=course.id)
        draft = factories.make_booking(db, listing=listing, mentee=cast.mentee)
        session = factories.make_session(db, listing=cast.listing, mentee=cast.mentee)
        group = factories.make_group_session(db, [cast.mentee], listing=listing)
    return Shown(cast, course, listing, draft.id, session, group, reviewed)


def rename_mentor(db: Any, mentor: Mentor, _mentee: User) -> None:
    db.execute(update(users).where(users.c.id == mentor.user_id).values(name="Rear Admiral Hopper"))


def change_headline(db: Any, mentor: Mentor, _mentee: User) -> None:
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == mentor.id).values(headline="Compilers"))


def change_avatar(db: Any, mentor: Mentor, _mentee: User) -> None:
    avatar = {"avatar_url": "https://example.org/new.png"}
    db.execute(update(mentor_profiles).where(mentor_profiles.c.id == mentor.id).values(avatar))


def rename_mentee(db: Any, _mentor: Mentor, mentee: User) -> None:
    db.execute(update(users).where(users.c.id == mentee.id).values(name="Zoe Zuse"))


OF_MENTOR = (rename_mentor, change_headline, change_avatar)
EVERYTHING = (*OF_MENTOR, rename_mentee)
# What each body shows of its people.
SHOWING: dict[str, tuple[Callable[..., None], ...]] = {
    "/bookings/{booking}": EVERYTHING,
    "/bookings/{group}": OF_MENTOR,
    "/sessions/{session}": EVERYTHING,
    "/sessions/{group_session}": OF_MENTOR,
    "/sessions/mentee/{session}": EVERYTHING,
    "/sessions/mentor/{session}": EVERYTHING,
    "/group-sessions/{group}": EVERYTHING,
    "/mentors": OF_MENTOR,
    "/mentors?sort=rating": OF_MENTOR,
    "/mentors/{mentor}": OF_MENTOR,
    "/mentors/{mentor}/reviews": (rename_mentee,),
    "/reviews/{review}": (rename_mentee,),
    "/courses/{course}/support-options": (rename_mentor, change_headline),
    "/users/{mentee}": (rename_mentee,),
    "/me": (rename_mentee,),
}


def reader_of(cast: Cast, path: str) -> Headers:
    # A group's participants are shown to its mentor, who is no mentee of theirs.
    return cast.as_mentor if path.startswith(("/group-sessions", "/sessions/mentor")) else cast.as_mentee


@pytest.mark.parametrize("template", SHOWING)
def test_a_304_hides_no_change_of_a_person(world: World, shown: Shown, template: str) -> None:
    path, reader = shown.path(template), reader_of(shown.cast, template)
    for change in SHOWING[template]:
        before = world.client.get(path, headers=reader)
        held = reader | {"If-None-Match": before.headers["ETag"]}
        assert (before.status_code, world.client.get(path, headers=held).status_code) == (200, 304)
        with world.engine.begin() as db:
            change(db, shown.cast.mentor, shown.cast.mentee)
        after = world.client.get(path, headers=held)
        assert after.status_code == 200, change.__name__
        assert after.json != before.json, change.__name__


def test_a_renamed_person_does_not_make_a_change_stale(world: World, shown: Shown) -> None:
    path = shown.path("/bookings/{booking}")
    seen = world.client.get(path, headers=shown.cast.as_mentor).headers["ETag"]
    with world.engine.begin() as db:
        rename_mentee(db, shown.cast.mentor, shown.cast.mentee)
    named = shown.cast.as_mentor | {"If-Match": seen}
    assert world.client.patch(f"{path}/decline", headers=named).status_code == 200
