"""Lists of mentors: the newest, and by relevance, rating, price and next free time; the skills they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import distinct_on

from models.base import sql
from models.catalog import listings
from models.people import RATING_IN_HUNDREDTHS, mentor_profiles, skills, users
from models.prepared import PreparedStatement
from workflows.accounts.records import Mentor
from workflows.availability.slots import Offered, first_slots
from workflows.catalog.listings import Listing
from workflows.catalog.search import MOST_RELEVANT_FIRST, Offer, matches, probed, relevance
from workflows.identity.actor import Actor
from workflows.kernel.paging import (
    NEWEST_FIRST,
    Key,
    Order,
    Page,
    PagedList,
    PageResult,
    ascending,
    descending,
    narrowed,
)
from workflows.kernel.records import Record

# How many of the best-rated mentors that fit are ordered by their first slot, which no index knows.
MAX_ORDERED_BY_FREE_TIME = 100
# Through how many mentors one page of those who are free looks.
MAX_SEARCHED = 200
# With each mentor of a list. A mentor has up to 500, with the texts of all of them 20 MB.
MAX_LISTINGS_SHOWN = 20
# From now on; mentors without a slot within it are the last.
FREE_WITHIN = timedelta(days=21)
NOT_SOON = datetime(9999, 1, 1, tzinfo=UTC)

_RATING: ColumnElement[int] = literal_column(RATING_IN_HUNDREDTHS.text, Integer)


class MentorSort(StrEnum):
    """What a list of mentors can be ordered by."""

    RATING = "rating"
    PRICE = "price"
    NEXT = "next"


class Include(StrEnum):
    """Further parts that a list of mentors can show."""

    LISTINGS = "listings"
    NEXT_SLOT = "nextSlot"


@dataclass(frozen=True, kw_only=True)
class FoundMentor(Mentor):
    """A mentor who was searched for; `relevance` is greater for who fits better."""

    relevance: int


@dataclass(frozen=True, kw_only=True)
class OfferingMentor(Mentor):
    """A mentor with the cheapest of their listings that fit; the price in minor units."""

    price_currency: str
    price_amount: int
    listing_id: UUID


@dataclass(frozen=True, kw_only=True)
class FreeMentor(Mentor):
    """A mentor with the start of their first slot after a time; `NOT_SOON` for none soon."""

    as_of: datetime
    free_at: datetime


@dataclass(frozen=True, kw_only=True)
class NextSlot:
    """The first time at which a listing of a mentor can be booked, in UTC."""

    listing_id: UUID
    start_time: datetime
    end_time: datetime

    @classmethod
    def of_offer(cls, offer: Offered, start: datetime) -> NextSlot:
        """The slot of that listing at that start."""
        return cls(listing_id=offer.id, start_time=start, end_time=start + timedelta(minutes=offer.duration_minutes))


@dataclass(frozen=True, kw_only=True)
class MentorWithSlot(Mentor):
    """A mentor with the first of their slots."""

    next_slot: NextSlot | None


@dataclass(frozen=True, kw_only=True)
class MentorWithListings(Mentor):
    """A mentor with the first of their active listings."""

    listings: list[Listing]


@dataclass(frozen=True, kw_only=True)
class MentorWithBoth(MentorWithSlot, MentorWithListings):
    """A mentor with the first of their slots, and the first of their active listings."""


@dataclass(frozen=True, kw_only=True)
class SlotCaller:
    """For whom slots are looked for: as of `first_slots`."""

    actor: Actor
    time_zone: str
    mentee_overlap: bool
    closed_without_hours: bool


@dataclass(frozen=True, kw_only=True)
class Skill(Record):
    """A skill as it is stored, in lower case, and how many active mentors have it."""

    table = skills

    skill: str
    mentors: int


def _rating_key(mentor: Mentor) -> tuple[int, int, UUID]:
    return (100 * mentor.rating_sum // max(mentor.review_count, 1), mentor.review_count, mentor.id)


def _commonest_first(query: Select[Any], page: Page, mentors: ColumnElement[Any], skill: Any) -> Select[Any]:
    if page.after is not None:
        last, last_skill = page.after
        query = query.where(and_(mentors <= last, or_(mentors < last, skill > last_skill)))
    return query.order_by(mentors.desc(), skill).limit(page.limit + 1)


HIGHEST_RATED_FIRST = Order((int, int, UUID), _rating_key, descending)
# Amounts of different currencies are not compared.
LOWEST_PRICE_FIRST = Order(
    (str, int, UUID), lambda mentor: (mentor.price_currency, mentor.price_amount, mentor.listing_id), ascending
)
# Ordered by `SoonestFreeMentors`.
SOONEST_FREE_FIRST = Order(
    (datetime, datetime, int, int, UUID),
    lambda mentor: (mentor.as_of, mentor.free_at, *_rating_key(mentor)),
    descending,
)
COMMONEST_FIRST = Order((int, str), lambda skill: (skill.mentors, skill.skill), _commonest_first)


def _wanted(query: Select[Any], q: Any, skills: Any, offer: Offer) -> Select[Any]:
    """Only active mentors with all these words and skills, and with an active listing as `offer` has it."""
    mentor = mentor_profiles.c
    query = narrowed(
        query.where(mentor.active),
        (q, lambda: matches(mentor.search, q)),
        (skills, lambda: mentor.skills.contains(skills)),
    )
    wanted = offer.conditions()
    if wanted:
        own = listings.c.mentor_profile_id == mentor_profiles.c.id
        offers = select(listings.c.id).where(own, listings.c.active, *wanted)
        query = query.where(probed(offers, after_words=q is not None))
    return query


def mentors_query(page: Page, *, q: str | None = None, skills: list[str] | None = None, **offer: Any) -> Select[Any]:
    """Active mentors, the newest first, or with words the most relevant first.

    Args:
        q: words, all of which are in name, skills, headline or bio.
        skills: all of which the mentor has, as they are stored.
        offer: fields of `Offer`, which one active listing of the mentor has to fit, here and below.
    """
    if q is None:
        return NEWEST_FIRST.select_page(
            _wanted(Mentor.query(), None, skills, Offer(**offer)), page, mentor_profiles.c.id
        )
    rank = relevance(mentor_profiles.c.search, q)
    # Looked up for what is shown: a join would begin before the best are known.
    name = select(users.c.name).where(users.c.id == mentor_profiles.c.user_id).scalar_subquery()
    columns = (*Mentor.columns(), name.label("name"), rank.label("relevance"))
    query = _wanted(select(*columns), q, skills, Offer(**offer))
    return MOST_RELEVANT_FIRST.select_page(query, page, rank, mentor_profiles.c.id)


def rated_mentors_query(
    page: Page, *, q: str | None = None, skills: list[str] | None = None, **offer: Any
) -> Select[Any]:
    """The highest average first, among equals the one of more reviews; mentors without reviews come last."""
    rated = (_RATING, mentor_profiles.c.review_count, mentor_profiles.c.id)
    return HIGHEST_RATED_FIRST.select_page(_wanted(Mentor.query(), q, skills, Offer(**offer)), page, *rated)


def priced_mentors_query(
    page: Page, *, q: str | None = None, skills: list[str] | None = None, **offer: Any
) -> Select[Any]:
    """The lowest price of a listing that fits first, currency by currency; who has no such listing is left out."""
    wanted, offered, cheaper = Offer(**offer), listings.c, listings.alias("cheaper")
    another = exists().where(
        cheaper.c.mentor_profile_id == offered.mentor_profile_id,
        cheaper.c.active,
        tuple_(cheaper.c.price_currency, cheaper.c.price_amount, cheaper.c.id)
        < tuple_(offered.price_currency, offered.price_amount, offered.id),
        *wanted.conditions(cheaper),
    )
    query = (
        Mentor.query()
        .add_columns(offered.price_currency, offered.price_amount, offered.id.label("listing_id"))
        .join(listings, offered.mentor_profile_id == mentor_profiles.c.id)
        .where(offered.active, ~another, *wanted.conditions())
    )
    query = _wanted(query, q, skills, Offer())
    return LOWEST_PRICE_FIRST.select_page(query, page, offered.price_currency, offered.price_amount, offered.id)


_RATED = PagedList(Mentor, HIGHEST_RATED_FIRST, rated_mentors_query)


class SoonestFreeMentors(PagedList[FreeMentor]):
    """The best-rated of those who fit, up to `MAX_ORDERED_BY_FREE_TIME`, by the start of their first slot, then all
    others by their rating. Among equals the higher rating comes first.

    A slot is one of the mentor's shortest listing that fits, the cheapest of these. No index knows it.
    """

    def __init__(self) -> None:
        super().__init__(FreeMentor, SOONEST_FREE_FIRST, rated_mentors_query)

    def page(self, db: Connection, page: Page, **filters: Any) -> PageResult[FreeMentor]:
        """A page, by a fixed number of statements; later pages are of the slots at the time of the first page.

        Args:
            filters: `now`, and the filters of `rated_mentors_query`.
        """
        now, caller = filters.pop("now"), filters.pop("caller", None)
        as_of, *after = page.after or (now,)
        best = _RATED.page(db, Page(limit=MAX_ORDERED_BY_FREE_TIME), **filters)
        offers = _offers_of(db, [mentor.id for mentor in best.items], filters)
        closed = caller is not None and caller.closed_without_hours
        free_at = first_slots(db, offers, as_of, as_of + FREE_WITHIN, closed_without_hours=closed)
        items = [_free(mentor, as_of, free_at.get(mentor.id, NOT_SOON)) for mentor in best.items]
        # Python's sort is stable: those who are free at the same time stay ordered by their rating.
        items.sort(key=lambda mentor: mentor.free_at)
        if after:
            items = [mentor for mentor in items if _comes_after(mentor, *after)]
        if len(items) <= page.limit and best.next is not None:
            others = Page(limit=page.limit + 1 - len(items), after=_later(best.next, *after))
            items += [_free(mentor, as_of, NOT_SOON) for mentor in _RATED.page(db, others, **filters).items]
        shown = items[: page.limit]
        return PageResult(shown, self.order.key(shown[-1]) if len(items) > page.limit else None)


class MentorsFreeThen(PagedList[MentorWithSlot]):
    """Those who have a slot in a stretch of time, the highest rated first, each with the first of their slots.

    A page looks through `MAX_SEARCHED` mentors by a fixed number of statements: it may have fewer than its limit, and
    the next one goes on from there.
    """

    def __init__(self) -> None:
        super().__init__(MentorWithSlot, HIGHEST_RATED_FIRST, rated_mentors_query)

    def page(self, db: Connection, page: Page, **filters: Any) -> PageResult[MentorWithSlot]:
        """A page.

        Args:
            filters: `caller`, `now`, `free_from` and `free_to`, and the filters of `rated_mentors_query`.
        """
        caller, now = filters.pop("caller"), filters.pop("now")
        stretch = (filters.pop("free_from"), filters.pop("free_to"))
        rated = _RATED.page(db, Page(limit=MAX_SEARCHED, after=page.after), **filters)
        slots = _first_slots(db, rated.items, filters, *stretch, caller=caller, now=now)
        free = [MentorWithSlot(**vars(each), next_slot=slots[each.id]) for each in rated.items if each.id in slots]
        shown = free[: page.limit]
        return PageResult(shown, self.order.key(shown[-1]) if len(free) > page.limit else rated.next)


def _first_slots(
    db: Connection,
    mentors: Sequence[Mentor],
    filters: Mapping[str, Any],
    start: datetime,
    end: datetime,
    *,
    caller: SlotCaller,
    now: datetime,
) -> dict[UUID, NextSlot]:
    offers = _offers_of(db, [mentor.id for mentor in mentors], filters)
    first = first_slots(db, offers, start, end, now=now, **vars(caller))
    of_mentors = {offer.mentor_profile_id: offer for offer in offers}
    return {id: NextSlot.of_offer(of_mentors[id], begin) for id, begin in first.items()}


def with_slots(db: Connection, mentors: Sequence[Mentor], *, caller: SlotCaller, now: datetime) -> list[MentorWithSlot]:
    """The mentors with the first slots of their shortest listings within `FREE_WITHIN`."""
    slots = _first_slots(db, mentors, {}, now, now + FREE_WITHIN, caller=caller, now=now)
    return [MentorWithSlot(**_of_mentor(each), next_slot=slots.get(each.id)) for each in mentors]


def with_listings(db: Connection, mentors: Sequence[Mentor]) -> list[MentorWithBoth | MentorWithListings]:
    """The mentors with a few of their active listings each, the shortest and cheapest, by one statement."""
    listed: dict[UUID, list[Listing]] = {mentor.id: [] for mentor in mentors}
    for row in LISTINGS_OF_MENTORS.all(db, {"mentor_profile_ids": list(listed)}):
        listed[row["mentor_profile_id"]].append(Listing.of_values(row))
    return [
        MentorWithBoth(**vars(each), listings=listed[each.id])
        if isinstance(each, MentorWithSlot)
        else MentorWithListings(**_of_mentor(each), listings=listed[each.id])
        for each in mentors
    ]


def _of_mentor(mentor: Mentor) -> dict[str, Any]:
    return {name: value for name, value in vars(mentor).items() if name in _OF_MENTOR}


def _free(mentor: Mentor, as_of: datetime, free_at: datetime) -> FreeMentor:
    return FreeMentor(**vars(mentor), as_of=as_of, free_at=free_at)


def _comes_after(mentor: FreeMentor, free_at: datetime, *rated: Any) -> bool:
    return mentor.free_at > free_at or (mentor.free_at == free_at and _rating_key(mentor) < tuple(rated))


def _later(last_of_best: Key, free_at: datetime | None = None, *rated: Any) -> Key:
    """From where on the others are read: behind the best, and behind the last one who was shown."""
    return min(last_of_best, tuple(rated)) if free_at == NOT_SOON else last_of_best


def _offers_of(db: Connection, mentor_profile_ids: list[UUID], filters: Mapping[str, Any]) -> list[Offered]:
    wanted = {each.name: value for each in fields(Offer) if (value := filters.get(each.name)) is not None}
    values = {"mentor_profile_ids": mentor_profile_ids, **wanted}
    return [Offered.of_values(row) for row in offers_statement(frozenset(wanted)).all(db, values)]


@cache
def offers_statement(given: frozenset[str]) -> PreparedStatement:
    """Selects of each mentor the listing by which their next slot is found, among those that fit.

    Args:
        given: the conditions of an `Offer` that are given.
    """
    offer = Offer(**{name: bindparam(name) for name in given})
    own = listings.c.mentor_profile_id
    query = select(*Offered.columns()).where(own == any_(bindparam("mentor_profile_ids", type_=ARRAY(Uuid))))
    fitting = query.where(listings.c.active, *offer.conditions()).ext(distinct_on(own))
    ordered = fitting.order_by(own, listings.c.duration_minutes, listings.c.price_amount, listings.c.id)
    return PreparedStatement(ordered)


LISTINGS_OF_MENTORS = PreparedStatement(
    sql(f"""
SELECT {Listing.names(of="shown")}
FROM unnest(CAST(:mentor_profile_ids AS uuid[])) AS asked
CROSS JOIN LATERAL (
    SELECT * FROM listings
    WHERE listings.mentor_profile_id = asked AND active
    ORDER BY duration_minutes, price_amount, id LIMIT {MAX_LISTINGS_SHOWN}
) AS shown
ORDER BY shown.duration_minutes, shown.price_amount, shown.id
""").columns(*Listing.columns())
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


_OF_MENTOR = {field.name for field in fields(Mentor)}
FREE_MENTORS = MentorsFreeThen()
MENTORS = PagedList(Mentor, NEWEST_FIRST, mentors_query)
FOUND_MENTORS = PagedList(FoundMentor, MOST_RELEVANT_FIRST, mentors_query)
_SORTED: dict[MentorSort, PagedList[Any]] = {
    MentorSort.RATING: _RATED,
    MentorSort.PRICE: PagedList(OfferingMentor, LOWEST_PRICE_FIRST, priced_mentors_query),
    MentorSort.NEXT: SoonestFreeMentors(),
}
SKILLS = PagedList(Skill, COMMONEST_FIRST, skills_query)
