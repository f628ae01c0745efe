"""Users and mentor profiles: the records, and how to find them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Connection, Select, Uuid, bindparam, func, literal_column, select

from models.people import USER_WORDS, MentorState, email_changes, mentor_profiles, users
from workflows.identity.actor import Actor
from workflows.kernel.paging import PagedList
from workflows.kernel.records import ExternalRecord

# Of the mentor profile `mentor_profiles`. By LIMIT: for a list of users, the planner would answer EXISTS by reading
# the hours of all mentors.
HAS_HOURS = """coalesce(
    (SELECT true FROM weekly_hours h JOIN availability_rules r ON r.weekly_hours_id = h.id
     WHERE h.mentor_profile_id = mentor_profiles.id AND h.until IS NULL LIMIT 1),
    (SELECT true FROM date_hours d
     WHERE d.mentor_profile_id = mentor_profiles.id AND d.day >= CAST(now() AS date) - 1 AND d.spans <> '[]' LIMIT 1),
    false
)"""
_HAS_HOURS = f"CASE WHEN mentor_profiles.id IS NOT NULL THEN {HAS_HOURS} END"


class UserState(StrEnum):
    """Whether a person may act."""

    ACTIVE = "active"
    BLOCKED = "blocked"


@dataclass(frozen=True, kw_only=True)
class User(ExternalRecord):
    """A person with an account; `time_zone` is an IANA name."""

    table = users

    id: UUID
    email: str
    name: str
    time_zone: str
    locale: str
    mentor_profile_id: UUID | None
    created_at: datetime
    version: int
    blocked_at: datetime | None
    # Entered, and still to be confirmed.
    pending_email: str | None = None
    # Of a mentor: whether they have set weekly hours, or hours of a date to come.
    has_hours: bool | None = None

    @property
    def state(self) -> UserState:
        return UserState.ACTIVE if self.blocked_at is None else UserState.BLOCKED

    @classmethod
    def query(cls) -> Select[Any]:
        change = email_changes.c
        pending = select(change.email).where(change.user_id == users.c.id, change.open, change.expires_at > func.now())
        return select(
            *cls.columns(),
            mentor_profiles.c.id.label("mentor_profile_id"),
            pending.scalar_subquery().label("pending_email"),
            literal_column(_HAS_HOURS, Boolean).label("has_hours"),
        ).select_from(users.outerjoin(mentor_profiles, mentor_profiles.c.user_id == users.c.id))


@dataclass(frozen=True, kw_only=True)
class Mentor(ExternalRecord):
    """A mentor profile with its user's name."""

    table = mentor_profiles

    id: UUID
    user_id: UUID
    name: str
    headline: str
    bio: str | None
    time_zone: str
    skills: list[str]
    languages: list[str]
    avatar_url: str | None
    rating_sum: int
    review_count: int
    active: bool
    state: MentorState
    created_at: datetime
    version: int

    @property
    def rating(self) -> float | None:
        """The average of all reviews, 1 to 5, to two places; None before the first."""
        return average_rating(self.rating_sum, self.review_count)

    @classmethod
    def query(cls) -> Select[Any]:
        return select(*cls.columns(), users.c.name.label("name")).select_from(
            mentor_profiles.join(users, users.c.id == mentor_profiles.c.user_id)
        )


def average_rating(rating_sum: int, review_count: int) -> float | None:
    """The average of reviews to two places; None without any."""
    return round(rating_sum / review_count, 2) if review_count else None


def users_query(*, q: Any = None, email: Any = None, state: UserState | None = None) -> Select[Any]:
    """People who have an account.

    Args:
        q: words of name and address, each from its beginning on.
        email: in any case.
    """
    query = User.query().where(users.c.erased_at.is_(None))
    if q is not None:
        words = select(func.search_prefixes(q)).scalar_subquery()
        query = query.where(literal_column(USER_WORDS.text).op("@@", return_type=Boolean())(words))
    if email is not None:
        query = query.where(func.lower(users.c.email) == func.lower(email))
    if state is not None:
        blocked = users.c.blocked_at.is_not(None)
        query = query.where(blocked if state is UserState.BLOCKED else ~blocked)
    return query


USERS = PagedList(User, rows=users_query)


def profile_of_user_query(user_id: UUID) -> Select[Any]:
    """The id of a user's mentor profile, active or not."""
    return select(mentor_profiles.c.id).where(mentor_profiles.c.user_id == user_id)


_LOCALE = select(users.c.locale).where(users.c.id == bindparam("user_id", type_=Uuid))
_TIME_ZONE = select(users.c.time_zone).where(users.c.id == bindparam("user_id", type_=Uuid))


def time_zone_of(db: Connection, actor: Actor) -> str:
    """The IANA name of the caller's time zone; UTC for an operator."""
    return "UTC" if actor.user_id is None else str(db.scalar(_TIME_ZONE, {"user_id": actor.user_id}))


def locale_of(db: Connection, user_id: UUID) -> str | None:
    """The locale that a user has chosen; None where there is no such user."""
    locale: str | None = db.scalar(_LOCALE, {"user_id": user_id})
    return locale
