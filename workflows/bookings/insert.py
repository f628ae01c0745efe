"""The one insert in which every route that makes a booking ends, as a draft or accepted at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.base import sql
from models.bookings import BookingKind, BookingStatus, bookings
from models.payments import PaymentMode
from models.prepared import PreparedStatement
from models.sessions import session_id_of
from workflows.availability.busy import BLOCK_TIME
from workflows.availability.check import CalendarChanged
from workflows.bookings.records import Booking
from workflows.catalog.booked import shown_offer
from workflows.identity.parties import shown_parties
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.locks import LOCK_MENTEE, LOCK_MENTOR, LOCK_MENTOR_UNCHANGED, LOCK_PEOPLE, SHARE_MENTOR_UNCHANGED
from workflows.payments.actions import PAY_WITHIN
from workflows.terms.expected_terms import NOTHING_EXPECTED, ExpectedTerms
from workflows.terms.terms import TERM_NAMES, Terms

_TERMS, _TERM_VALUES = ", ".join(TERM_NAMES), ", ".join(f":{name}" for name in TERM_NAMES)
_INSERT = f"""
booking AS (
    INSERT INTO bookings (
        id, listing_id, mentor_profile_id, mentee_user_id, course_id, kind, start_time, end_time, status,
        title, notes, answers, external_id, metadata, product_id, bundle_purchase_id, series_id, session_id, {_TERMS}
    )
    SELECT :id, :listing_id, :mentor_profile_id,
           :mentee_user_id, :course_id, CAST(:kind AS booking_kind),
           :start_time, :end_time, CAST(:status AS booking_status),
           :title, :notes, :answers, CAST(:external_id AS text), :metadata, :product_id, :bundle_purchase_id,
           :series_id, :session_id, {_TERM_VALUES}
    {{source}}
    RETURNING *
),
joined AS (
    INSERT INTO booking_participants (booking_id, user_id)
    SELECT id, mentee_user_id FROM booking WHERE mentee_user_id IS NOT NULL
)
"""
# By name: a migration adds its columns at the end of the table.
_BESIDE = [*shown_parties("booking"), *shown_offer("booking")]
_SHOWN = ", ".join(f"{column.element} AS {column.name}" for column in _BESIDE)
# With its column's type, each value is also cast to it.
_TYPED = [bindparam(name, type_=bookings.c[name].type) for name in ("metadata", *TERM_NAMES)]


def _statement(ctes: str) -> PreparedStatement:
    statement = sql(f"WITH {ctes} SELECT {Booking.names()}, {_SHOWN} FROM booking")
    return PreparedStatement(statement.bindparams(*_TYPED).columns(*Booking.columns(), *_BESIDE))


# The function refuses by the name of a rule. Its look at the mentee's drafts is younger than the mentee's lock.
_WITHIN_LIMITS = """
FROM mentor, mentee
WHERE guard_open_drafts(mentee.id, mentor.id, :series_id, :max_drafts_per_mentor, :max_drafts)
"""
DRAFT_WITHIN_LIMITS = _statement(f"{SHARE_MENTOR_UNCHANGED}, {LOCK_MENTEE}, {_INSERT.format(source=_WITHIN_LIMITS)}")
# Without limits, nothing is counted.
DRAFT = _statement(f"{SHARE_MENTOR_UNCHANGED}, {LOCK_MENTEE}, {_INSERT.format(source='FROM mentor, mentee')}")
ACCEPTED = _statement(
    f"{LOCK_MENTOR_UNCHANGED}, {LOCK_PEOPLE}, {_INSERT.format(source='FROM mentor, people')}, {BLOCK_TIME}"
)
_GROUP = _statement(f"{LOCK_MENTOR}, {LOCK_PEOPLE}, {_INSERT.format(source='FROM mentor, people')}, {BLOCK_TIME}")
NO_LIMIT = 2**31 - 1
_OPTIONAL = (
    *("listing_id", "mentee_user_id", "course_id", "title", "notes", "answers", "external_id", "metadata"),
    *("product_id", "bundle_purchase_id", "series_id"),
)


@dataclass(frozen=True)
class DraftLimits:
    """How many open drafts a mentee may have, a series counting as one; 0 is no limit."""

    per_mentor: int = 0
    of_all: int = 0


NO_DRAFT_LIMITS = DraftLimits()


@dataclass(frozen=True)
class BookingPolicy:
    """How the operator lets people book."""

    mentee_overlap: bool = False  # whether a mentee may have another session at that time
    closed_without_hours: bool = False  # whether a mentor without hours cannot be booked at any time
    draft_limits: DraftLimits = NO_DRAFT_LIMITS
    pay_within: timedelta = PAY_WITHIN  # how long a payment is awaited


DEFAULT_BOOKING_POLICY = BookingPolicy()


def insert_booking(
    db: Connection,
    values: Mapping[str, Any],
    terms: Terms,
    *,
    mentor_profile_id: UUID,
    start_time: datetime,
    end_time: datetime,
    kind: BookingKind = BookingKind.INDIVIDUAL,
    accepted: bool,
    calendar_version: int | None = None,
    policy: BookingPolicy = DEFAULT_BOOKING_POLICY,
    expected: ExpectedTerms = NOTHING_EXPECTED,
) -> Booking:
    """Insert a booking; one that is accepted blocks the time of its mentor and its mentee in the same statement, and
    ends the mentee's holds of it. So does one that awaits its payment, without which it is not accepted.

    Args:
        values: further columns of `bookings` by name; what is left out is null. A price among them, and when it
            is paid, replaces that of the terms.
        terms: of the listing or the group's template, all of which are written.
        start_time: in UTC, as the end.
        calendar_version: of the mentor's calendar by which the booking was checked; None for a group, which no
            hours bind.
        expected: the terms that the mentee was shown, compared with those that are written.

    Raises:
        CalendarChanged: the mentor's calendar has another version by now; nothing was written.
        Conflict: `slot_taken`, by the mentor's calendar or, with `details.mentee`, the mentee's; `outside_hours` in
            the mentor's time off; `booking_limit` for a draft.
        TermsChanged: `price_changed` or `terms_changed`; nothing was written.
    """
    agreed = {**{name: getattr(terms, name) for name in TERM_NAMES}, **values}
    expected.require_price(agreed["price_amount"], agreed["price_currency"])
    expected.require_cancellation(terms)
    booking_id, status = uuid7(), BookingStatus.ACCEPTED if accepted else BookingStatus.DRAFT
    prepaid = agreed["payment_mode"] is PaymentMode.BEFORE and agreed["price_amount"] > 0
    if accepted and prepaid and kind is BookingKind.INDIVIDUAL:
        status = BookingStatus.AWAITING_PAYMENT
    statement = DRAFT if policy.draft_limits == NO_DRAFT_LIMITS else DRAFT_WITHIN_LIMITS
    if accepted:
        statement = _GROUP if kind is BookingKind.GROUP else ACCEPTED
    parameters = {
        **dict.fromkeys(_OPTIONAL),
        **agreed,
        "id": booking_id,
        "mentor_profile_id": mentor_profile_id,
        "kind": kind,
        "start_time": start_time,
        "end_time": end_time,
        "status": status,
        "session_id": session_id_of(booking_id) if status is BookingStatus.ACCEPTED else None,
        "busy_id": uuid7(),
        "attending_id": uuid7(),
        "mentee_overlap": policy.mentee_overlap,
        "calendar_version": calendar_version,
        "max_drafts_per_mentor": policy.draft_limits.per_mentor or NO_LIMIT,
        "max_drafts": policy.draft_limits.of_all or NO_LIMIT,
    }
    with constraint_errors():
        row = statement.one_or_none(db, parameters)
    if row is None:
        raise CalendarChanged(mentor_profile_id, shared=not accepted)
    return Booking.of_values(row)
