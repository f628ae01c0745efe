"""Bundles: the record, and how to find bundles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Integer, Select, bindparam

from models.bundles import BundleEntryKind, bundle_entries, bundle_purchases
from workflows.kernel.paging import PagedList
from workflows.kernel.records import ExternalRecord, Record
from workflows.kernel.transitions import VersionedRecord
from workflows.payments.records import PAYMENT_OF_BUNDLE, Payment


class BundleStatus(StrEnum):
    """What a bundle is at a moment; it follows from its payment, its credits and its validity and is not stored."""

    AWAITING_PAYMENT = "awaiting_payment"
    ACTIVE = "active"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Bundle(VersionedRecord, ExternalRecord):
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
    awaits_payment: bool
    created_at: datetime
    # As it was read to be shown.
    payment: Payment | None = None

    def status_at(self, now: datetime) -> BundleStatus:
        """Expired from `valid_to` on, whatever is left; before that exhausted without a credit. First it is paid."""
        if self.awaits_payment:
            return BundleStatus.AWAITING_PAYMENT
        if self.valid_to is not None and self.valid_to <= now:
            return BundleStatus.EXPIRED
        return BundleStatus.ACTIVE if self.remaining_sessions else BundleStatus.EXHAUSTED


@dataclass(frozen=True, kw_only=True)
class BundleAtMoment(Bundle):
    """A bundle with its status at a moment, and with the entries of its ledger where these were read."""

    status: BundleStatus
    ledger: Sequence[BundleEntry] = ()


@dataclass(frozen=True, kw_only=True)
class BundleEntry(Record):
    """A move of a bundle's credits, and how many remain after it; `booking_id` is what a credit was spent on."""

    table = bundle_entries

    id: UUID
    kind: BundleEntryKind
    credits: int
    balance: int
    booking_id: UUID | None
    reason: str | None
    created_at: datetime


# A credit can be spent and given back any number of times.
MAX_SHOWN_ENTRIES = 500
ENTRIES = (
    BundleEntry.query()
    .where(bundle_entries.c.bundle_purchase_id == bindparam("bundle_id"))
    .order_by(bundle_entries.c.sequence.desc())
    .limit(bindparam("limit", type_=Integer))
)
LOCKED_BUNDLE = Bundle.query().where(bundle_purchases.c.id == bindparam("id")).with_for_update(key_share=True)


_SHOWN = Bundle.query().add_columns(PAYMENT_OF_BUNDLE)


def bundle_query(bundle_id: UUID) -> Select[Any]:
    """The bundle of that id."""
    return _SHOWN.where(bundle_purchases.c.id == bundle_id)


BUNDLES = PagedList(Bundle, rows=lambda: _SHOWN, equal=("mentee_user_id",))


def at_moment(bundle: Bundle, now: datetime) -> BundleAtMoment:
    """The bundle with its status, without its ledger."""
    return BundleAtMoment(**vars(bundle), status=bundle.status_at(now))


def with_ledger(
    db: Connection, bundle: Bundle, now: datetime, *, limit: int | None = MAX_SHOWN_ENTRIES
) -> BundleAtMoment:
    """The bundle with its status and its latest entries, the oldest of these first.

    Args:
        limit: how many; None for all.
    """
    entries = [BundleEntry.of(row) for row in db.execute(ENTRIES, {"bundle_id": bundle.id, "limit": limit})][::-1]
    return replace(at_moment(bundle, now), ledger=entries)


def locked(db: Connection, bundle_id: UUID) -> Bundle:
    """The bundle as it stands, locked until the end of the transaction."""
    return Bundle.of(db.execute(LOCKED_BUNDLE, {"id": bundle_id}).one())
