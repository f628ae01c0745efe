"""Lists of mentors: the newest, and by relevance, rating, price and next free time; the skills they have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
    union_all,
)

from models.base import Timestamp
from models.catalog import listings
from models.people import RATING_IN_HUNDREDTHS, mentor_profiles, skills, users
from workflows.catalog.search import MOST_RELEVANT_FIRST, Offer, matches, probed, relevance
from workflows.identity.people import Mentor
from workflows.paging import NEWEST_FIRST, Order, Page, PagedList, ascending, descending
from workflows.records import Record

# How many of the best-rated mentors that fit are ordered by their next free time, which no index knows: it follows
# from the present, from weekly hours in their zone, and from the calendar. Finding one's takes some 0.3 ms.
MAX_ORDERED_BY_FREE_TIME = 100
# From now on; mentors who are not free within it are the last.
FREE_WITHIN_DAYS = 21
_MIN_FREE_MINUTES = 5  # the shortest listing
_FREE_NOW = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_SOON = datetime(9999, 1, 1, tzinfo=UTC)

_RATING: ColumnElement[int] = literal_column(RATING_IN_HUNDREDTHS.text, Integer)


class MentorSort(StrEnum):
    """What a list of mentors can be ordered by."""

    RATING = "rating"
    PRICE = "price"
    NEXT = "next"


@dataclass(frozen=True, kw_only=True)
class FoundMentor(Mentor):
    """A mentor who was searched for; `relevance` is greater for who fits better."""

    relevance: int


@dataclass(frozen=True, kw_only=True)
class OfferingMentor(Mentor):
    """A mentor with the cheapest of their listings that fit; the price in minor units."""

    price_amount: int
    listing_id: UUID


@dataclass(frozen=True, kw_only=True)
class FreeMentor(Mentor):
    """A mentor with their next free time; a time long past stands for now, and one far ahead for none soon."""

    free_at: datetime


@dataclass(frozen=True, kw_only=True)
class Skill(Record):
    """A skill as it is stored, in lower case, and how many active mentors have it."""

    table = skills

    skill: str
    mentors: int


def _rating_key(mentor: Mentor) -> tuple[int, int, UUID]:
    return (100 * mentor.rating_sum // max(mentor.review_count, 1), mentor.review_count, mentor.id)


def _soonest_free_first(query: Select[Any], page: Page, free_at: ColumnElement[Any], *rated: Any) -> Select[Any]:
    if page.after is not None:
        last, *others = page.after
        query = query.where(or_(free_at > last, and_(free_at == last, tuple_(*rated) < tuple_(*others))))
    return query.order_by(free_at, *(column.desc() for column in rated)).limit(page.limit + 1)


def _commonest_first(query: Select[Any], page: Page, mentors: ColumnElement[Any], skill: Any) -> Select[Any]:
    if page.after is not None:
        last, last_skill = page.after
        query = query.where(and_(mentors <= last, or_(mentors < last, skill > last_skill)))
    return query.order_by(mentors.desc(), skill).limit(page.limit + 1)


HIGHEST_RATED_FIRST = Order((int, int, UUID), _rating_key, descending)
LOWEST_PRICE_FIRST = Order((int, UUID), lambda mentor: (mentor.price_amount, mentor.listing_id), ascending)
SOONEST_FREE_FIRST = Order(
    (datetime, int, int, UUID), lambda mentor: (mentor.free_at, *_rating_key(mentor)), _soonest_free_first
)
COMMONEST_FIRST = Order((int, str), lambda skill: (skill.mentors, skill.skill), _commonest_first)


def _wanted(query: Select[Any], q: Any, skills: Any, offer: Offer) -> Select[Any]:
    """Only active mentors with all these words and skills, and with an active listing as `offer` has it."""
    query = query.where(mentor_profiles.c.active)
    if q is not None:
        query = query.where(matches(mentor_profiles.c.search, q))
    if skills is not None:
        query = query.where(mentor_profiles.c.skills.contains(skills))
    wanted = offer.conditions()
    if wanted:
        own = listings.c.mentor_profile_id == mentor_profiles.c.id
        offers = select(listings.c.id).where(own, listings.c.active, *wanted)
        query = query.where(probed(offers, after_words=q is not None))
    return query


def mentors_query(
    page: Page,
    *,
    skills: list[str] | None = None,
    course_id: UUID | None = None,
    max_price: int | None = None,
    currency: str | None = None,
    duration_minutes: int | None = None,
) -> Select[Any]:
    """Active mentors, the newest first. All filters but the skills, here and below, are about one active listing.

    Args:
        skills: all of which the mentor has, as they are stored.
        max_price: in minor units of the listing's currency.
        currency: an ISO 4217 code.
    """
    offer = Offer(course_id=course_id, max_price=max_price, currency=currency, duration_minutes=duration_minutes)
    return NEWEST_FIRST.select_page(_wanted(Mentor.query(), None, skills, offer), page, mentor_profiles.c.id)


def found_mentors_query(
    page: Page,
    *,
    q: str,
    skills: list[str] | None = None,
    course_id: UUID | None = None,
    max_price: int | None = None,
    currency: str | None = None,
    duration_minutes: int | None = None,
) -> Select[Any]:
    """Those who have all words of `q` in name, skills, headline or bio, the most relevant first."""
    offer = Offer(course_id=course_id, max_price=max_price, currency=currency, duration_minutes=duration_minutes)
    rank = relevance(mentor_profiles.c.search, q)
    # Looked up for what is shown: a join would begin before the best are known.
    name = select(users.c.name).where(users.c.id == mentor_profiles.c.user_id).scalar_subquery()
    columns = (*Mentor.columns(), name.label("name"), rank.label("relevance"))
    query = _wanted(select(*columns), q, skills, offer)
    return MOST_RELEVANT_FIRST.select_page(query, page, rank, mentor_profiles.c.id)


def rated_mentors_query(
    page: Page,
    *,
    q: str | None = None,
    skills: list[str] | None = None,
    course_id: UUID | None = None,
    max_price: int | None = None,
    currency: str | None = None,
    duration_minutes: int | None = None,
) -> Select[Any]:
    """The highest average first, among equals that of more reviews; who has none yet comes last."""
    offer = Offer(course_id=course_id, max_price=max_price, currency=currency, duration_minutes=duration_minutes)
    rated = (_RATING, mentor_profiles.c.review_count, mentor_profiles.c.id)
    return HIGHEST_RATED_FIRST.select_page(_wanted(Mentor.query(), q, skills, offer), page, *rated)


def priced_mentors_query(
    page: Page,
    *,
    q: str | None = None,
    skills: list[str] | None = None,
    course_id: UUID | None = None,
    max_price: int | None = None,
    currency: str | None = None,
    duration_minutes: int | None = None,
) -> Select[Any]:
    """The lowest price of a listing that fits first; without such a listing a mentor has no price and is left out."""
    offer = Offer(course_id=course_id, max_price=max_price, currency=currency, duration_minutes=duration_minutes)
    offered, cheaper = listings.c, listings.alias("cheaper")
    another = exists().where(
        cheaper.c.mentor_profile_id == offered.mentor_profile_id,
        cheaper.c.active,
        tuple_(cheaper.c.price_amount, cheaper.c.id) < tuple_(offered.price_amount, offered.id),
        *offer.conditions(cheaper),
    )
    query = (
        Mentor.query()
        .add_columns(offered.price_amount, offered.id.label("listing_id"))
        .join(listings, offered.mentor_profile_id == mentor_profiles.c.id)
        .where(offered.active, ~another, *offer.conditions())
    )
    query = _wanted(query, q, skills, Offer())
    return LOWEST_PRICE_FIRST.select_page(query, page, offered.price_amount, offered.id)


# The first free stretch of the mentor `best` that is long enough: open by the weekly hours, if there are any, not
# blocked in the calendar, no time off, and not busy elsewhere. Days are counted from yesterday, whose last hours may be
# today's in another zone.
_FREE = """
SELECT min(lower(stretch)) AS free_at
FROM unnest(
    coalesce((
        SELECT range_agg(tstzrange(greatest(opens_at, now), greatest(opens_at, closes_at, now)))
        FROM weekly_hours h
        JOIN availability_rules r ON r.weekly_hours_id = h.id,
        LATERAL (SELECT CAST(now AT TIME ZONE h.time_zone AS date) - 1 AS yesterday) AS day,
        generate_series(0, {weeks} - 1) AS week,
        LATERAL (
            SELECT yesterday + (r.weekday + 8 - CAST(extract(isodow FROM yesterday) AS integer)) % 7 + 7 * week AS date
        ) AS occurrence,
        LATERAL (
            SELECT (date + make_interval(mins => r.opens)) AT TIME ZONE h.time_zone AS opens_at,
                   (date + make_interval(mins => r.closes)) AT TIME ZONE h.time_zone AS closes_at
        ) AS open
        WHERE h.mentor_profile_id = best.id AND h.until IS NULL
    ), tstzmultirange(within))
    - coalesce((
        SELECT range_agg(busy) FROM person_busy b
        WHERE b.user_id = best.user_id AND b.busy && within AND (b.expires_at IS NULL OR b.expires_at > now)
    ), '{{}}')
    - coalesce((
        SELECT range_agg(tstzrange(start_time, end_time)) FROM time_off t
        WHERE t.mentor_profile_id = best.id AND t.end_time > now AND t.start_time < upper(within)
    ), '{{}}')
    - coalesce((
        SELECT range_agg(busy) FROM outside_busy o WHERE o.mentor_profile_id = best.id AND o.busy && within
    ), '{{}}')
) AS stretch
WHERE upper(stretch) >= lower(stretch) + make_interval(mins => {minutes})
"""
_NOW = "(SELECT CAST(:now AS timestamptz) AS now, tstzrange(:now, :now + interval '{days} days') AS within) AS clock"


def _free_at(minutes: str) -> FromClause:
    free = _FREE.format(weeks=FREE_WITHIN_DAYS // 7, minutes=minutes)
    clock = _NOW.format(days=FREE_WITHIN_DAYS)
    found = text(f"SELECT free_at FROM {clock}, LATERAL ({free}) AS found")
    return found.bindparams(bindparam("now", type_=Timestamp)).columns(free_at=Timestamp).lateral("free")


def free_mentors_query(
    page: Page,
    *,
    now: datetime,
    q: str | None = None,
    skills: list[str] | None = None,
    course_id: UUID | None = None,
    max_price: int | None = None,
    currency: str | None = None,
    duration_minutes: int | None = None,
) -> Select[Any]:
    """The best-rated of those who fit, up to `MAX_ORDERED_BY_FREE_TIME`, by the time at which they are free next, at
    the earliest now; then all others by their rating. Among equals the higher rating comes first.

    Free is a stretch of five minutes, or of `duration_minutes`, in the mentor's weekly hours, not blocked in their
    calendar, no time off and not busy by an outside calendar; hours of single dates, and the notice and buffers of
    listings, do not count.
    """
    rated = (_RATING, mentor_profiles.c.review_count, mentor_profiles.c.id)
    offer = Offer(course_id=course_id, max_price=max_price, currency=currency, duration_minutes=duration_minutes)
    shown = _wanted(Mentor.query().add_columns(_RATING.label("average")), q, skills, offer)
    best = shown.order_by(*(column.desc() for column in rated)).limit(MAX_ORDERED_BY_FREE_TIME).cte("best")
    free = _free_at(str(_MIN_FREE_MINUTES) if duration_minutes is None else ":duration_minutes")
    not_soon = literal(_NOT_SOON, Timestamp)
    free_at = case(
        (free.c.free_at <= now, literal(_FREE_NOW, Timestamp)), else_=func.coalesce(free.c.free_at, not_soon)
    )
    head = select(best, free_at.label("free_at")).join_from(best, free, true())
    last_of_best = (
        select(best.c.average, best.c.review_count, best.c.id)
        .order_by(best.c.average.desc(), best.c.review_count.desc(), best.c.id.desc())
        .offset(MAX_ORDERED_BY_FREE_TIME - 1)
        .limit(1)
        .scalar_subquery()
    )
    others = shown.where(tuple_(*rated) < last_of_best)
    if page.after is not None:
        after_free_at, *after = page.after
        # Bounds the index scan of a page far behind the best.
        others = others.where(or_(after_free_at < not_soon, tuple_(*rated) < tuple_(*after)))
    tail = others.order_by(*(column.desc() for column in rated)).limit(page.limit + 1).subquery()
    both = union_all(head, select(tail, not_soon.label("free_at"))).subquery()
    return SOONEST_FREE_FIRST.select_page(
        select(both), page, both.c.free_at, both.c.average, both.c.review_count, both.c.id
    )


def skills_query(page: Page) -> Select[Any]:
    """The skills of active mentors, the commonest first, then by their names."""
    return COMMONEST_FIRST.select_page(
        Skill.query().where(skills.c.mentors > 0), page, skills.c.mentors, skills.c.skill
    )


def mentors_list(sort: MentorSort | None, *, searched: bool) -> PagedList[Any]:
    """The list in this order; in none that was chosen by relevance, where words are searched for, else by age."""
    if sort is None:
        return FOUND_MENTORS if searched else MENTORS
    return _SORTED[sort]


MENTORS = PagedList(Mentor, NEWEST_FIRST, mentors_query)
FOUND_MENTORS = PagedList(FoundMentor, MOST_RELEVANT_FIRST, found_mentors_query)
_SORTED: dict[MentorSort, PagedList[Any]] = {
    MentorSort.RATING: PagedList(Mentor, HIGHEST_RATED_FIRST, rated_mentors_query),
    MentorSort.PRICE: PagedList(OfferingMentor, LOWEST_PRICE_FIRST, priced_mentors_query),
    MentorSort.NEXT: PagedList(FreeMentor, SOONEST_FREE_FIRST, free_mentors_query),
}
SKILLS = PagedList(Skill, COMMONEST_FIRST, skills_query)
