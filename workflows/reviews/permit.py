"""A permit: one mentee may review one session, until it expires."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists

from models.reviews import review_permits, reviews
from workflows.paging import NEWEST_FIRST, Page, PagedList, newest_first
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class Permit(Record):
    """Open from `unlocked_at` until `expires_at`, UTC, unless the review has been written."""

    table = review_permits

    id: UUID
    session_id: UUID
    mentee_user_id: UUID
    mentor_profile_id: UUID
    unlocked_at: datetime
    expires_at: datetime


def permit_query(session_id: UUID, mentee_user_id: UUID) -> Select[Any]:
    """The mentee's permit of that session, used and expired or not, with `used` beside it."""
    return (
        Permit.query()
        .add_columns(_used().label("used"))
        .where(review_permits.c.session_id == session_id, review_permits.c.mentee_user_id == mentee_user_id)
    )


def open_permits_query(page: Page, *, mentee_user_id: UUID, now: datetime) -> Select[Any]:
    """What a mentee may still review, the latest completion first: neither used nor expired."""
    query = Permit.query().where(
        review_permits.c.mentee_user_id == mentee_user_id, review_permits.c.expires_at > now, ~_used()
    )
    return newest_first(query, page, review_permits.c.id)


OPEN_PERMITS = PagedList(Permit, NEWEST_FIRST, open_permits_query)


def _used() -> Any:
    return exists().where(
        reviews.c.session_id == review_permits.c.session_id,
        reviews.c.mentee_user_id == review_permits.c.mentee_user_id,
    )
