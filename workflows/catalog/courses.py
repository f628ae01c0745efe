"""Courses: what several mentors may teach, each by a listing of it; operators keep the catalogue of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select
from uuid_utils.compat import uuid7

from models.catalog import courses, listings
from models.people import mentor_profiles
from workflows.catalog.search import MOST_RELEVANT_FIRST, Offer, matches, probed, relevance
from workflows.identity.access import require_operator
from workflows.identity.actor import Actor
from workflows.kernel.paging import NEWEST_FIRST, Page, PagedList
from workflows.kernel.records import ExternalRecord
from workflows.kernel.transitions import VersionedRecord, update_record

_OPERATORS_ONLY = "Only an operator can change the catalogue of courses."


@dataclass(frozen=True, kw_only=True)
class Course(VersionedRecord, ExternalRecord):
    """What is taught; an inactive course is not shown in the catalogue."""

    table = courses

    title: str
    description: str | None
    active: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class FoundCourse(Course):
    """A course that was searched for; `relevance` is greater for what fits better."""

    relevance: int


def courses_query(
    page: Page,
    *,
    q: str | None = None,
    skills: list[str] | None = None,
    max_price: int | None = None,
    currency: str | None = None,
    duration_minutes: int | None = None,
) -> Select[Any]:
    """Active courses, the newest first, or with words the most relevant first.

    All filters but the words are about one offer: an active listing of the course.

    Args:
        q: words, all of which are in title or description.
        skills: which its mentor has, as they are stored.
        max_price: in minor units of the listing's currency.
        currency: an ISO 4217 code.
    """
    query = Course.query().where(courses.c.active)
    wanted = Offer(max_price=max_price, currency=currency, duration_minutes=duration_minutes).conditions()
    if skills is not None:
        wanted.append(mentor_profiles.c.skills.contains(skills))
    if wanted:
        offers = (
            select(listings.c.id)
            .join_from(listings, mentor_profiles, mentor_profiles.c.id == listings.c.mentor_profile_id)
            .where(listings.c.course_id == courses.c.id, listings.c.active, mentor_profiles.c.active, *wanted)
        )
        query = query.where(probed(offers, after_words=q is not None))
    if q is None:
        return NEWEST_FIRST.select_page(query, page, courses.c.id)
    rank = relevance(courses.c.search, q)
    found = query.where(matches(courses.c.search, q)).add_columns(rank.label("relevance"))
    return MOST_RELEVANT_FIRST.select_page(found, page, rank, courses.c.id)


COURSES = PagedList(Course, NEWEST_FIRST, courses_query)
FOUND_COURSES = PagedList(FoundCourse, MOST_RELEVANT_FIRST, courses_query)


def create_course(db: Connection, *, actor: Actor, **columns: Any) -> Course:
    """Add a course with these columns of `courses` to the catalogue. Raises Forbidden: the caller is no operator."""
    require_operator(actor, _OPERATORS_ONLY)
    return Course.of(db.execute(insert(courses).values(id=uuid7(), **columns).returning(*Course.columns())).one())


def change_course(
    db: Connection, *, actor: Actor, course: Course, changes: dict[str, Any], any_version: bool = False
) -> Course:
    """Change a course; listings, bookings and sessions of it stay what they are.

    Args:
        changes: columns of `courses` by name; the others as of `update_record`.

    Raises:
        Forbidden: the caller is no operator.
        Stale: it has changed since `course` was read.
    """
    require_operator(actor, _OPERATORS_ONLY)
    return update_record(db, course, changes, subject="course", any_version=any_version)
