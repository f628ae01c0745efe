"""Listings: what a mentor offers, for how much, by which policies; the record, the list, and changes."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Uuid, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import column
from uuid_utils.compat import uuid7

from models.base import sql
from models.catalog import BookingMode, listings
from models.payments import PaymentMode
from models.people import MentorState, mentor_profiles
from models.prepared import PreparedStatement
from workflows.availability.calendar import JOIN_CALENDAR, calendar_as_json
from workflows.identity.access import require_acting_mentor, require_mentor
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, DomainError, NotFound
from workflows.kernel.locks import lock_calendar
from workflows.kernel.paging import PagedList
from workflows.kernel.records import ExternalRecord
from workflows.kernel.transitions import VersionedRecord, update_record
from workflows.terms.terms import TERM_NAMES, Terms

# Of a mentor: none is ever deleted, since bookings name them.
MAX_LISTINGS = 500
# None for a mentor whose account has been erased.
_COUNT = sql("""
SELECT (SELECT count(*) FROM listings WHERE mentor_profile_id = m.id)
FROM mentor_profiles m JOIN users u ON u.id = m.user_id AND u.erased_at IS NULL
WHERE m.id = :mentor_profile_id
""")


@dataclass(frozen=True, kw_only=True)
class Listing(VersionedRecord, ExternalRecord, Terms):
    """A mentor's offer: how long, and by which terms."""

    table = listings

    mentor_profile_id: UUID
    course_id: UUID | None
    title: str
    description: str | None
    duration_minutes: int
    booking_mode: BookingMode
    min_notice_minutes: int
    questions: list[dict[str, Any]]
    active: bool
    created_at: datetime


# The listing of that id, if it and its mentor are active; with the mentor's `user_id`, and their `calendar` for the
# longest session that can start then, and what the mentee holds of it, see `as_held`.
BOOKABLE = PreparedStatement(
    sql(f"""
SELECT {Listing.names(of="listings")}, mentor.user_id,
       {calendar_as_json(":start_time", ":start_time + interval '1 day'")},
       (
           SELECT held_offer FROM person_busy
           WHERE held_by_user_id = :mentee_user_id AND held_start = :start_time AND expires_at > now()
             AND held_offer ->> 'id' = CAST(listings.id AS text)
           LIMIT 1
       ) AS held_offer
FROM listings JOIN mentor_profiles AS mentor ON mentor.id = listings.mentor_profile_id AND mentor.active
{JOIN_CALENDAR}
WHERE listings.id = :listing_id AND listings.active
""").columns(*Listing.columns(), column("user_id", Uuid), column("calendar", JSONB), column("held_offer", JSONB))
)
# What of a listing a hold fixes, besides its notice, which was kept when the time was held. The place, which may be the
# mentor's own address, stays with the listing.
_HELD = (*(name for name in TERM_NAMES if name != "location"), "duration_minutes", "booking_mode")


def held_offer_of(listing: Listing) -> dict[str, Any]:
    """The listing as a hold keeps it."""
    return {"id": str(listing.id), **{name: getattr(listing, name) for name in _HELD}}


def as_held(listing: Listing, held_offer: dict[str, Any] | None) -> Listing:
    """The listing as the mentee's hold of that time keeps it; as it is, where there is none."""
    if held_offer is None:
        return listing
    modes = {
        "payment_mode": PaymentMode(held_offer["payment_mode"]),
        "booking_mode": BookingMode(held_offer["booking_mode"]),
    }
    kept = {name: held_offer[name] for name in _HELD if name in held_offer}
    return replace(listing, **{**kept, **modes, "min_notice_minutes": 0})


def listings_query() -> Select[Any]:
    """Active listings of active mentors."""
    return (
        Listing.query()
        .join_from(listings, mentor_profiles, mentor_profiles.c.id == listings.c.mentor_profile_id)
        .where(listings.c.active, mentor_profiles.c.active)
    )


def not_offered(
    db: Connection, sentence: str, *, listing_id: UUID | None = None, mentor_profile_id: UUID | None = None
) -> DomainError:
    """The refusal to book a listing or a mentor that was not found: `not_bookable` where the mentor is not approved."""
    mentor = mentor_profiles.c
    of_listing = select(listings.c.mentor_profile_id).where(listings.c.id == listing_id).scalar_subquery()
    state = db.scalar(select(mentor.state).where(mentor.id == (mentor_profile_id or of_listing)))
    return NotFound(sentence) if state in (None, MentorState.ACTIVE) else Conflict(code="not_bookable")


LISTINGS = PagedList(Listing, rows=listings_query, equal=("mentor_profile_id", "course_id"))


def publish_listing(db: Connection, *, actor: Actor, offer: dict[str, Any]) -> Listing:
    """Write a listing of the acting mentor.

    Args:
        offer: columns of `listings` by name; what is left out takes the database's default.

    Raises:
        Forbidden: the caller does not act as a mentor.
        NotFound: the caller's account has been deleted.
        Conflict: `quota_reached`, the mentor has as many as there may be.
    """
    mentor_profile_id = require_acting_mentor(actor)
    lock_calendar(db, mentor_profile_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    stored = db.scalar(_COUNT, {"mentor_profile_id": mentor_profile_id})
    if stored is None:
        raise NotFound("The mentor has deleted their account.")
    if stored >= MAX_LISTINGS:
        raise Conflict(
            f"A mentor has at most {MAX_LISTINGS} listings, inactive ones included; change one that is not needed.",
            code="quota_reached",
        )
    row = db.execute(
        insert(listings).values(id=uuid7(), mentor_profile_id=mentor_profile_id, **offer).returning(*Listing.columns())
    ).one()
    return Listing.of(row)


def change_listing(
    db: Connection, *, actor: Actor, listing: Listing, changes: dict[str, Any], any_version: bool = False
) -> Listing:
    """Change an offer for future bookings; what is already booked keeps its time and price.

    Args:
        changes: columns of `listings` by name; the others as of `update_record`.

    Raises:
        Forbidden: another mentor's listing.
        Stale: it has changed since `listing` was read.
    """
    require_mentor(actor, listing)
    # Two changes that meet inside the exclusion of a second currency deadlock without it.
    lock_calendar(db, listing.mentor_profile_id)
    return update_record(db, listing, changes, subject="listing", any_version=any_version)
