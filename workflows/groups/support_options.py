"""What a mentee can choose from for a course: who teaches it, what is sold, and which groups can be joined."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import Connection

from models.base import sql
from models.catalog import listings
from models.people import RATING_IN_HUNDREDTHS
from workflows.accounts.records import average_rating
from workflows.catalog.courses import Course
from workflows.catalog.products import PRODUCTS, Product
from workflows.groups.records import GROUPS, ListedGroup
from workflows.identity.actor import Actor
from workflows.kernel.paging import Page
from workflows.kernel.records import Record

MAX_MENTORS = 100
MAX_PRODUCTS = 100
MAX_GROUP_SESSIONS = 20

OFFERS = sql(f"""
WITH teaching AS (
    SELECT id, user_id, headline, rating_sum, review_count, {RATING_IN_HUNDREDTHS} AS average FROM mentor_profiles
    WHERE active AND id IN (SELECT mentor_profile_id FROM listings WHERE course_id = :course_id AND active)
    ORDER BY average DESC, review_count DESC, id DESC LIMIT {MAX_MENTORS}
)
SELECT teaching.id AS mentor_profile_id, users.name, headline, rating_sum, review_count, listings.id,
       duration_minutes, price_amount, price_currency
FROM teaching JOIN users ON users.id = user_id
JOIN listings ON mentor_profile_id = teaching.id AND course_id = :course_id AND listings.active
ORDER BY average DESC, review_count DESC, teaching.id DESC, duration_minutes
""")


@dataclass(frozen=True, kw_only=True)
class Offer(Record):
    """A mentor's active listing of the course; the price in minor units."""

    table = listings

    id: UUID
    duration_minutes: int
    price_amount: int
    price_currency: str


@dataclass(frozen=True, kw_only=True)
class TeachingMentor:
    """An active mentor with at least one active listing of the course, the shortest first."""

    id: UUID
    name: str
    headline: str
    rating: float | None
    review_count: int
    listings: list[Offer]


@dataclass(frozen=True, kw_only=True)
class SupportOptions:
    """The best-rated mentors of a course, the newest products, and the next groups; each up to a limit."""

    course: Course
    mentors: list[TeachingMentor]
    products: list[Product]
    group_sessions: list[ListedGroup]


def support_options(db: Connection, *, actor: Actor, course: Course, now: datetime) -> SupportOptions:
    """What can be bought and booked for a course now; groups with the caller's own place in each.

    Args:
        now: groups that have not begun by then can be joined.
    """
    products = PRODUCTS.page(db, Page(MAX_PRODUCTS), course_id=course.id, active=True)
    open_groups = {"course_id": course.id, "user_id": actor.user_id, "open_at": now}
    groups = GROUPS.page(db, Page(MAX_GROUP_SESSIONS), **open_groups)
    mentors = _mentors(db, course.id)
    return SupportOptions(course=course, mentors=mentors, products=products.items, group_sessions=groups.items)


def _mentors(db: Connection, course_id: UUID) -> list[TeachingMentor]:
    mentors = []
    offered = db.execute(OFFERS, {"course_id": course_id})
    for mentor_profile_id, (first, *others) in groupby(offered, key=lambda row: row.mentor_profile_id):
        mentor = TeachingMentor(
            id=mentor_profile_id,
            name=first.name,
            headline=first.headline,
            rating=average_rating(first.rating_sum, first.review_count),
            review_count=first.review_count,
            listings=[Offer.of(row) for row in (first, *others)],
        )
        mentors.append(mentor)
    return mentors
