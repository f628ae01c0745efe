"""Holds: a mentor's time kept for a mentee for some minutes, until it is booked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import JSONB
from uuid_utils.compat import uuid7

from models.base import sql
from models.calendar import person_busy
from models.catalog import BookingMode
from workflows.availability.busy import require_free
from workflows.availability.calendar import MentorCalendar
from workflows.availability.check import CalendarChanged, require_bookable, with_present_calendar
from workflows.bookings.direct import WantedListing
from workflows.bookings.individual import BOOKS_AT_ONCE
from workflows.bookings.insert import DEFAULT_BOOKING_POLICY, NO_DRAFT_LIMITS, NO_LIMIT, BookingPolicy, DraftLimits
from workflows.catalog.listings import BOOKABLE, Listing, held_offer_of
from workflows.identity.access import require_holder, require_person
from workflows.identity.actor import Actor
from workflows.kernel.clock import in_utc
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import Conflict, Invalid, NotFound
from workflows.kernel.expired import ExpiredRows
from workflows.kernel.locks import LOCK_MENTOR, LOCK_MENTOR_UNCHANGED, LOCK_PEOPLE
from workflows.kernel.records import Record
from workflows.terms.expected_terms import NOTHING_EXPECTED, ExpectedTerms

_LOCK = sql(
    f"WITH {LOCK_MENTOR_UNCHANGED}, {LOCK_PEOPLE} SELECT mentor.user_id FROM mentor, people"
    f" WHERE CASE WHEN {BOOKS_AT_ONCE} THEN true"
    " ELSE guard_open_drafts(:mentee_user_id, mentor.id, NULL, :max_drafts_per_mentor, :max_drafts) END"
)
# What has expired gives way, as does an own hold of an overlapping time, which counts no more. The insert counts what
# was deleted, so that it comes after.
TAKE_HOLD = sql("""
WITH wanted AS (
    SELECT tstzrange(
        :start_time - :buffer_before_minutes * interval '1 minute',
        :end_time + :buffer_minutes * interval '1 minute'
    ) AS busy
),
ended AS (
    DELETE FROM person_busy USING wanted
    WHERE person_busy.user_id = :mentor_user_id AND person_busy.busy && wanted.busy
      AND (person_busy.expires_at <= now() OR person_busy.held_by_user_id = :mentee_user_id)
    RETURNING person_busy.id
),
own AS (
    SELECT count(*) FROM person_busy
    WHERE held_by_user_id = :mentee_user_id AND expires_at > now()
      AND id NOT IN (SELECT id FROM ended)
)
INSERT INTO person_busy (
    id, user_id, mentor_profile_id, busy, hold_id, expires_at, held_by_user_id, held_start, held_end,
    held_offer
)
SELECT :id, :mentor_user_id, :mentor_profile_id, wanted.busy,
       :id, now() + :minutes * interval '1 minute', :mentee_user_id,
       :start_time, :end_time, :held_offer
FROM wanted, own, (SELECT count(*) FROM ended) AS swept
WHERE own.count < :max_holds
RETURNING expires_at, created_at
""").bindparams(bindparam("held_offer", type_=JSONB))
RELEASE_HOLD = sql(
    f"WITH {LOCK_MENTOR} DELETE FROM person_busy USING mentor"
    " WHERE person_busy.mentor_profile_id = mentor.id AND person_busy.hold_id = :id"
)
delete_expired_holds = ExpiredRows("person_busy", "expires_at <= now()", order="expires_at")


@dataclass(frozen=True, kw_only=True)
class Hold(Record):
    """A mentor's time, in UTC and without buffers, that is kept for a mentee until it expires.

    `version` is 1: a hold is never changed, only ended.
    """

    table = person_busy

    id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID
    start_time: datetime
    end_time: datetime
    expires_at: datetime
    created_at: datetime
    version: int = 1


def hold_query(hold_id: UUID) -> Select[Any]:
    """The hold of that id, unless it has expired."""
    held = person_busy.c
    return select(
        held.hold_id.label("id"),
        held.mentor_profile_id,
        held.held_by_user_id.label("mentee_user_id"),
        held.held_start.label("start_time"),
        held.held_end.label("end_time"),
        held.expires_at,
        held.created_at,
    ).where(held.hold_id == hold_id, held.expires_at > func.now())


def hold(
    db: Connection,
    *,
    actor: Actor,
    wanted: WantedListing,
    start_time: datetime,
    now: datetime,
    minutes: int,
    max_holds: int,
    policy: BookingPolicy = DEFAULT_BOOKING_POLICY,
    expected: ExpectedTerms = NOTHING_EXPECTED,
) -> Hold:
    """Hold a time of a mentor as a mentee, by the rules of a booking of the wanted listing.

    Its price and terms are fixed until the hold ends. An own hold that overlaps is replaced.

    Args:
        start_time: aware.
        minutes: how long it is held.
        max_holds: how many holds a mentee may have; 0 is no limit.
        policy: a booking of a listing by request is one more open draft, unless the mentee can book it at once by a
            product or a bundle of its course.
        expected: the terms that the mentee was shown.

    Raises:
        Forbidden: the caller is an operator, without a user of their own.
        NotFound: no such active mentor, or no such listing of theirs.
        Invalid: a start in the past; the caller's own time; another duration than the listing's.
        Conflict: `no_listing` of that duration; `beyond_horizon`, `too_soon`, `outside_hours` and `booking_limit` as
            of a booking; `slot_taken`, by the mentor's calendar or, with `details.mentee`, the mentee's;
            `booking_limit` for one hold too many;
            `price_changed` and `terms_changed` where the listing's terms are not the expected ones.
    """
    mentee, start = require_person(actor), in_utc(start_time)

    def take() -> Hold:
        listing, calendar = _offered(db, wanted, mentee, start, closed_without_hours=policy.closed_without_hours)
        expected.require_price(listing.price_amount, listing.price_currency)
        expected.require_cancellation(listing)
        require_bookable(db, calendar, listing, start=start, mentee_user_id=mentee, now=now, accepted=True)
        limits = policy.draft_limits if listing.booking_mode is BookingMode.REQUEST else NO_DRAFT_LIMITS
        parties: dict[str, Any] = {"mentor_profile_id": listing.mentor_profile_id, "mentee_user_id": mentee}
        # In a statement of its own: the count of the mentee's holds must be younger than the lock.
        of_offer = {"course_id": listing.course_id, "duration_minutes": listing.duration_minutes, "now": now}
        mentor_user_id = _lock(db, parties | of_offer, calendar.version, limits)
        hold_id, end = uuid7(), start + timedelta(minutes=listing.duration_minutes)
        require_free(db, mentee, start, end, mentee_overlap=policy.mentee_overlap)
        values = {
            **parties,
            "id": hold_id,
            "mentor_user_id": mentor_user_id,
            "start_time": start,
            "end_time": end,
            "buffer_before_minutes": listing.buffer_before_minutes,
            "buffer_minutes": listing.buffer_minutes,
            "minutes": minutes,
            "max_holds": max_holds or NO_LIMIT,
            "held_offer": held_offer_of(listing),
        }
        with constraint_errors():
            held = db.execute(TAKE_HOLD, values).one_or_none()
        if held is None:
            raise Conflict(
                "You already hold as many times as you may; book or release one of them.", code="booking_limit"
            )
        return Hold(id=hold_id, start_time=start, end_time=end, **parties, **held._mapping)

    return with_present_calendar(db, take)


def release(db: Connection, *, actor: Actor, held: Hold) -> None:
    """End a hold. Raises Forbidden: another person's hold."""
    require_holder(actor, held)
    db.execute(RELEASE_HOLD, {"mentor_profile_id": held.mentor_profile_id, "id": held.id})


def _lock(db: Connection, wanted: dict[str, Any], calendar_version: int, limits: DraftLimits) -> UUID:
    """Lock both calendars; returns the mentor's user."""
    values = {
        **wanted,
        "calendar_version": calendar_version,
        "max_drafts_per_mentor": limits.per_mentor or NO_LIMIT,
        "max_drafts": limits.of_all or NO_LIMIT,
    }
    with constraint_errors():
        mentor_user_id: UUID | None = db.scalar(_LOCK, values)
    if mentor_user_id is None:
        raise CalendarChanged(wanted["mentor_profile_id"])
    return mentor_user_id


def _offered(
    db: Connection, wanted: WantedListing, mentee: UUID, start: datetime, *, closed_without_hours: bool
) -> tuple[Listing, MentorCalendar]:
    found = wanted.find(db, mentee)
    if found.user_id == mentee:
        raise Invalid("You cannot hold your own time.", details={"mentorProfileId": ["is your own mentor profile"]})
    wanted.require_listing(found)
    row = BOOKABLE.one_or_none(db, {"listing_id": found.listing_id, "start_time": start, "mentee_user_id": mentee})
    if row is None:
        raise NotFound("The mentor has just withdrawn this listing.")
    calendar = MentorCalendar.read(row["calendar"], closed_without_hours=closed_without_hours)
    return Listing.of_values(row), calendar
