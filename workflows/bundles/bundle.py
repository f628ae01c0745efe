"""Bundles: the record, and how to find bundles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select

from models.bundles import bundle_purchases
from workflows.paging import NEWEST_FIRST, Page, PagedList
from workflows.transitions import VersionedRecord


class BundleStatus(StrEnum):
    """What a bundle is at a moment; it follows from its credits and its validity and is not stored."""

    ACTIVE = "active"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Bundle(VersionedRecord):
    """Sessions of a course that a mentee has paid for together; each credit pays for one. Times in UTC.

    `valid_to` is exclusive and None for no end; `duration_minutes` is None for sessions of any duration; `closed_at` is
    the moment from which the same product can be bought again.
    """

    table = bundle_purchases

    mentee_user_id: UUID
    course_id: UUID
    product_id: UUID
    total_sessions: int
    remaining_sessions: int
    duration_minutes: int | None
    price_amount: int
    price_currency: str
    valid_from: datetime
    valid_to: datetime | None
    closed_at: datetime | None
    created_at: datetime

    def status_at(self, now: datetime) -> BundleStatus:
        """Expired from `valid_to` on, whatever is left; before that exhausted without a credit."""
        if self.valid_to is not None and self.valid_to <= now:
            return BundleStatus.EXPIRED
        return BundleStatus.ACTIVE if self.remaining_sessions else BundleStatus.EXHAUSTED


def bundle_query(bundle_id: UUID) -> Select[Any]:
    """The bundle of that id."""
    return Bundle.query().where(bundle_purchases.c.id == bundle_id)


def bundles_query(page: Page, *, mentee_user_id: UUID | None = None) -> Select[Any]:
    """Bundles, the newest first; those of one mentee where one is given."""
    query = Bundle.query()
    if mentee_user_id is not None:
        query = query.where(bundle_purchases.c.mentee_user_id == mentee_user_id)
    return NEWEST_FIRST.select_page(query, page, bundle_purchases.c.id)


BUNDLES = PagedList(Bundle, NEWEST_FIRST, bundles_query)
