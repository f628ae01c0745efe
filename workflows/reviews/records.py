"""Reviews: the record, the lists, and who sees a hidden one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select

from models.people import users
from models.reviews import reviews
from workflows.kernel.paging import PagedList
from workflows.kernel.records import Record


@dataclass(frozen=True, kw_only=True)
class Review(Record):
    """A mentee's rating (1 to 5) and comment on one session, with the mentor's answer. Times in UTC."""

    table = reviews

    id: UUID
    session_id: UUID
    mentee_user_id: UUID
    mentor_profile_id: UUID
    reviewer_name: str
    rating: int
    comment: str | None
    answer: str | None
    answered_at: datetime | None
    hidden_at: datetime | None
    hidden_reason: str | None
    created_at: datetime
    version: int

    @property
    def participant_ids(self) -> None:
        """None: a review is one mentee's, of a group too."""
        return

    @property
    def hidden(self) -> bool:
        """Whether an operator has hidden it, so that only its author and operators see it and it does not count."""
        return self.hidden_at is not None

    @property
    def reviewer(self) -> str:
        """How the reviewer is called in public: "Ada L." of Ada Lovelace."""
        return shown_name(self.reviewer_name)

    @classmethod
    def query(cls) -> Select[Any]:
        return select(*cls.columns(), users.c.name.label("reviewer_name")).join_from(
            reviews, users, users.c.id == reviews.c.mentee_user_id
        )


def shown_name(name: str) -> str:
    """The first name with the initial of the last one: enough for a reader, and not a full identity."""
    first, *others = name.split()
    return f"{first} {others[-1][0]}." if others else first


def reviews_of_session_query(session_id: UUID) -> Select[Any]:
    """Every review of a session that is not hidden: one, or of a group several."""
    return Review.query().where(reviews.c.session_id == session_id, reviews.c.hidden_at.is_(None))


def reviews_query(*, also_hidden_of: UUID | None = None) -> Select[Any]:
    """Reviews, hidden ones only for their authors and operators.

    Args:
        also_hidden_of: the user, who sees their own reviews even when they are hidden; None for an operator, who sees
            all of them.
    """
    query = Review.query()
    if also_hidden_of is not None:
        query = query.where(or_(reviews.c.hidden_at.is_(None), reviews.c.mentee_user_id == also_hidden_of))
    return query


REVIEWS_OF_MENTOR = PagedList(
    Review, rows=reviews_query, of=("mentor_profile_id",), equal=("session_id", "mentee_user_id")
)
