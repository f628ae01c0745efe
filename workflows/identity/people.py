"""Users and mentors as the rules see them, and how to find them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from models.people import mentor_profiles, users
from workflows.paging import NEWEST_FIRST, Page, PagedList, newest_first
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class User(Record):
    """A person with an account; `time_zone` is an IANA name."""

    table = users

    id: UUID
    email: str
    name: str
    time_zone: str
    mentor_profile_id: UUID | None
    created_at: datetime
    version: int

    @classmethod
    def query(cls) -> Select[Any]:
        return select(*cls.columns(), mentor_profiles.c.id.label("mentor_profile_id")).select_from(
            users.outerjoin(mentor_profiles, mentor_profiles.c.user_id == users.c.id)
        )


@dataclass(frozen=True, kw_only=True)
class Mentor(Record):
    """A mentor profile with its user's name."""

    table = mentor_profiles

    id: UUID
    user_id: UUID
    name: str
    headline: str
    bio: str | None
    time_zone: str
    skills: list[str]
    rating_sum: int
    review_count: int
    active: bool
    created_at: datetime
    version: int

    @property
    def rating(self) -> float | None:
        """The average of all reviews, 1 to 5, to two places; None before the first."""
        return round(self.rating_sum / self.review_count, 2) if self.review_count else None

    @classmethod
    def query(cls) -> Select[Any]:
        return select(*cls.columns(), users.c.name.label("name")).select_from(
            mentor_profiles.join(users, users.c.id == mentor_profiles.c.user_id)
        )


def user_query(user_id: UUID) -> Select[Any]:
    """The user of that id."""
    return User.query().where(users.c.id == user_id)


def mentor_query(mentor_profile_id: UUID) -> Select[Any]:
    """The mentor profile of that id, active or not."""
    return Mentor.query().where(mentor_profiles.c.id == mentor_profile_id)


def mentors_query(page: Page, *, skills: list[str] | None = None) -> Select[Any]:
    """Active mentors, the newest first; with `skills`, those who have all of these, as they are stored."""
    query = Mentor.query().where(mentor_profiles.c.active)
    if skills is not None:
        query = query.where(mentor_profiles.c.skills.contains(skills))
    return newest_first(query, page, mentor_profiles.c.id)


MENTORS = PagedList(Mentor, NEWEST_FIRST, mentors_query)
