"""Mentors who can be booked for a course, and the order in which one of them is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.expression import TextualSelect, column

from models.base import Timestamp, sql
from workflows.availability.calendar import JOIN_CALENDAR, MentorCalendar, calendar_as_json
from workflows.availability.check import require_offered
from workflows.catalog.listings import Listing
from workflows.kernel.errors import Conflict

# Each mentor's listing of that course and duration, with their calendar and those of the wanted times at which it is
# blocked, as the insert of a booking would find it.
_OFFERS = f"""
SELECT {Listing.names(of="listings")},
       mentor.user_id,
       {calendar_as_json(":first_start", "CAST(:last_start AS timestamptz) + interval '1 day'")},
       ARRAY(
           SELECT wanted FROM unnest(CAST(:starts AS timestamptz[])) AS wanted WHERE EXISTS (
               SELECT FROM person_busy
               WHERE person_busy.user_id = mentor.user_id
                 AND busy && tstzrange(
                     wanted - buffer_before_minutes * interval '1 minute',
                     wanted + (duration_minutes + buffer_minutes) * interval '1 minute'
                 )
                 AND (expires_at IS NULL OR expires_at > now())
                 AND held_by_user_id IS DISTINCT FROM :mentee_user_id
           )
       ) AS taken
FROM listings
JOIN mentor_profiles AS mentor ON mentor.id = listings.mentor_profile_id AND mentor.active
{JOIN_CALENDAR}
WHERE listings.course_id = :course_id AND listings.duration_minutes = :duration_minutes
  AND listings.active
"""
_OF_MENTOR = "AND listings.mentor_profile_id = :mentor_profile_id"
# Accepted bookings whose session is cancelled hold no block.
_LEAST_BOOKED_FIRST = """
ORDER BY (
    SELECT coalesce(sum(bookings.end_time - bookings.start_time), interval '0')
    FROM bookings JOIN person_busy ON person_busy.booking_id = bookings.id AND person_busy.user_id = mentor.user_id
    WHERE bookings.mentor_profile_id = listings.mentor_profile_id
      AND bookings.start_time >= :monday AND bookings.start_time < :next_monday
), listings.mentor_profile_id
"""


def _statement(statement: str) -> TextualSelect:
    return sql(statement).columns(
        *Listing.columns(),
        column("user_id", Uuid),
        column("calendar", JSONB),
        column("taken", ARRAY(Timestamp)),
    )


OFFER_OF_MENTOR = _statement(f"{_OFFERS} {_OF_MENTOR}")
OFFERS_OF_COURSE = _statement(f"{_OFFERS} {_LEAST_BOOKED_FIRST}")

_OF_THE_MENTOR = frozenset(
    {"slot_taken", "booking_limit", "outside_hours", "too_soon", "beyond_horizon", "not_bookable"}
)


@dataclass(frozen=True)
class Offer:
    """A mentor's listing of a course, with what decides whether it can be booked."""

    listing: Listing
    user_id: UUID  # the mentor's user
    calendar: MentorCalendar
    taken: frozenset[datetime]  # the wanted times at which the mentor's calendar was blocked when it was looked at

    @classmethod
    def of(cls, row: Row[Any], *, closed_without_hours: bool) -> Offer:
        """The offer that a row of the statements above holds."""
        calendar = MentorCalendar.read(row.calendar, closed_without_hours=closed_without_hours)
        return cls(Listing.of(row), row.user_id, calendar, frozenset(row.taken))

    def is_free(self, start: datetime, now: datetime) -> bool:
        """Whether the mentor, by everything but limits, could be booked at that start."""
        if start in self.taken:
            return False
        try:
            require_offered(self.calendar, self.listing, start=start, now=now)
        except Conflict:
            return False
        return True


def offer_of_mentor(
    db: Connection,
    *,
    course_id: UUID,
    mentor_profile_id: UUID,
    duration_minutes: int,
    starts: Sequence[datetime],
    closed_without_hours: bool = False,
) -> Offer | None:
    """The mentor's listing of that course and duration; its `taken` is empty, since the insert decides.

    Args:
        starts: the wanted times, in UTC and in their order.
    """
    values = {
        "course_id": course_id,
        "mentor_profile_id": mentor_profile_id,
        "duration_minutes": duration_minutes,
        "mentee_user_id": None,
        "starts": [],
        "first_start": starts[0],
        "last_start": starts[-1],
    }
    row = db.execute(OFFER_OF_MENTOR, values).one_or_none()
    return None if row is None else Offer.of(row, closed_without_hours=closed_without_hours)


def offers_of_course(
    db: Connection,
    *,
    course_id: UUID,
    duration_minutes: int,
    mentee_user_id: UUID,
    starts: Sequence[datetime],
    closed_without_hours: bool = False,
) -> list[Offer]:
    """Every mentor's listing of that course and duration, in one statement.

    Args:
        mentee_user_id: whose own holds are no obstacle.
        starts: the wanted times, in UTC and in their order.

    Returns:
        the mentor with the fewest accepted minutes in the ISO week (in UTC) of the first time at first; of several with
        as many, the smallest id.
    """
    first = starts[0]
    monday = first.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=first.weekday())
    values = {
        "course_id": course_id,
        "duration_minutes": duration_minutes,
        "mentee_user_id": mentee_user_id,
        "starts": list(starts),
        "first_start": first,
        "last_start": starts[-1],
        "monday": monday,
        "next_monday": monday + timedelta(weeks=1),
    }
    rows = db.execute(OFFERS_OF_COURSE, values)
    return [Offer.of(row, closed_without_hours=closed_without_hours) for row in rows]


def is_lost_to_another(refusal: Conflict) -> bool:
    """Whether the mentor's calendar, hours or limits refuse: another mentor may still be free."""
    return refusal.code in _OF_THE_MENTOR and "mentee" not in (refusal.details or {})
