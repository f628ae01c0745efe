"""Book a mentor directly, by time and listing, or a duration from which the listing follows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row

from models.base import sql
from workflows.bookings.insert import DEFAULT_BOOKING_POLICY, BookingPolicy
from workflows.bookings.records import Booking
from workflows.bookings.request import request
from workflows.bookings.series import Recurrence, Series, await_payment_of_series, book_occurrences, occurrences
from workflows.catalog.listings import not_offered
from workflows.identity.access import require_person
from workflows.identity.actor import Actor
from workflows.kernel.clock import moment_of
from workflows.kernel.errors import Conflict, Invalid, NotFound
from workflows.kernel.locks import lock_calendar
from workflows.terms.expected_terms import NOTHING_EXPECTED, ExpectedTerms
from workflows.terms.questions import NO_ANSWERS, Answers

# The active mentor, with the wanted one of their listings: of several the cheapest, then the smallest id.
_CHOSEN = """
SELECT mentor.user_id, mentee.time_zone, listing.id AS listing_id, listing.duration_minutes
FROM mentor_profiles AS mentor
JOIN users AS mentee ON mentee.id = :mentee_user_id AND mentee.erased_at IS NULL
LEFT JOIN LATERAL (
    SELECT id, duration_minutes FROM listings
    WHERE mentor_profile_id = mentor.id AND active AND {which}
    ORDER BY price_amount, id LIMIT 1
) AS listing ON true
WHERE mentor.id = :mentor_profile_id AND mentor.active
"""
LISTING_OF_DURATION = sql(_CHOSEN.format(which="duration_minutes = :duration_minutes"))
LISTING_OF_ID = sql(_CHOSEN.format(which="id = :listing_id"))
_OWN_PROFILE = {"mentorProfileId": ["is your own mentor profile"]}


@dataclass(frozen=True, kw_only=True)
class WantedListing:
    """The mentor's listing that a mentee names, by its id or by its duration; an id decides where both are given."""

    mentor_profile_id: UUID
    listing_id: UUID | None = None
    duration_minutes: int | None = None

    def find(self, db: Connection, mentee_user_id: UUID) -> Row[Any]:
        """The mentor's `user_id`, the mentee's `time_zone`, and the `listing_id`, null where there is no such listing.

        Raises:
            NotFound: no such active mentor.
        """
        values = {**vars(self), "mentee_user_id": mentee_user_id}
        statement = LISTING_OF_DURATION if self.listing_id is None else LISTING_OF_ID
        found = db.execute(statement, values).one_or_none()
        if found is None:
            raise not_offered(db, "There is no such mentor.", mentor_profile_id=self.mentor_profile_id)
        return found

    def require_listing(self, found: Row[Any]) -> None:
        """Refuse what is no active listing of the mentor, or not of the duration that is named beside it.

        Raises:
            NotFound: no such listing.
            Invalid: it has another duration.
            Conflict: `no_listing` of that duration.
        """
        if found.listing_id is None:
            if self.listing_id is not None:
                raise NotFound("The mentor has no such listing.")
            raise Conflict(
                f"The mentor has no listing of {self.duration_minutes} minutes; choose another duration.",
                code="no_listing",
            )
        if self.duration_minutes not in (None, found.duration_minutes):
            raise Invalid(
                f"A session of this listing lasts {found.duration_minutes} minutes.",
                details={"durationMinutes": [f"must be {found.duration_minutes}, or left out"]},
            )


def book_directly(
    db: Connection,
    *,
    actor: Actor,
    wanted: WantedListing,
    scheduled_at: datetime,
    now: datetime,
    time_zone: str | None = None,
    title: str | None = None,
    description: str | None = None,
    answers: Answers = NO_ANSWERS,
    external_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    recurrence: Recurrence | None = None,
    policy: BookingPolicy = DEFAULT_BOOKING_POLICY,
    expected: ExpectedTerms = NOTHING_EXPECTED,
) -> tuple[Booking, Series | None]:
    """Book a mentor's listing as a mentee, once or as a series.

    Of several listings of a duration the cheapest is booked, then the one with the smallest id.

    Args:
        scheduled_at: the start; one without a zone is a wall-clock time in `time_zone`, the first of two such times.
        time_zone: an IANA name, also of a series' wall-clock time; None for the caller's own.
        description: kept as the booking's notes.
        expected: of a series, the terms of each session.

    Returns:
        the booking, the first of a series; and the series.

    Raises:
        Forbidden: the caller is an operator, without a user of their own.
        NotFound: no such active mentor, or no such listing of theirs.
        Invalid: another duration than the listing's; a start in the past, too far ahead, or that the clocks skip; the
            caller's own listing; an unusable end of a series.
        Conflict: `no_listing` of that duration; `no_such_time` in a series; else as of `request`.
    """
    mentee_user_id = require_person(actor)
    found = wanted.find(db, mentee_user_id)
    if found.user_id == actor.user_id:
        raise Invalid("You cannot book a session with yourself.", details=_OWN_PROFILE)
    start = _start_of(scheduled_at, time_zone or found.time_zone)
    wanted.require_listing(found)
    make = partial(
        request,
        db,
        actor=actor,
        listing_id=found.listing_id,
        title=title,
        notes=description,
        answers=answers,
        external_id=external_id,
        metadata=metadata,
        policy=policy,
        expected=expected,
        now=now,
    )
    with _start_named_scheduled_at():
        if recurrence is None:
            return make(start), None
        times = occurrences(recurrence, start, time_zone or found.time_zone)
        lock_calendar(db, wanted.mentor_profile_id)
        series = book_occurrences(db, times, make, on_conflict=recurrence.on_conflict)
        series = await_payment_of_series(db, series, actor=actor, now=now, pay_within=policy.pay_within)
        return series.made[0], series


@contextmanager
def _start_named_scheduled_at() -> Iterator[None]:
    try:
        yield
    except Invalid as refusal:
        reasons = (refusal.details or {}).pop("startTime", None)
        if reasons is not None:
            refusal.details = {"scheduledAt": reasons}
        raise


def _start_of(scheduled_at: datetime, time_zone: str) -> datetime:
    if scheduled_at.tzinfo is not None:
        return scheduled_at.astimezone(UTC)
    moment, exists = moment_of(scheduled_at, ZoneInfo(time_zone))
    if not exists:
        raise Invalid(
            f"The clocks of {time_zone} skip this time on that day; choose another one.",
            details={"scheduledAt": [f"does not exist in {time_zone}"]},
        )
    return moment
