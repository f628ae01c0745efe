"""Book an individual session of a course: with a named or a chosen mentor, paid by a product or a bundle, once or
weekly; accepted at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row
from sqlalchemy.dialects.postgresql import JSONB

from models.base import sql
from models.payments import PaymentMode
from models.people import MentorState
from workflows.accounts.actions import mentee_for
from workflows.availability.check import require_bookable, require_start, with_present_calendar
from workflows.bookings.awaiting import await_payment
from workflows.bookings.candidates import Offer, is_lost_to_another, offer_of_mentor, offers_of_course
from workflows.bookings.insert import DEFAULT_BOOKING_POLICY, BookingPolicy, insert_booking
from workflows.bookings.records import Booking
from workflows.bookings.series import (
    Occurrence,
    OnConflict,
    Recurrence,
    Series,
    book_occurrences,
    lock_parties,
    occurrences,
    times_in_details,
)
from workflows.bundles.ledger import spend
from workflows.catalog.listings import as_held
from workflows.events.event_types import BookingAccepted
from workflows.events.record import record, savepoint
from workflows.identity.access import require_purchase
from workflows.identity.actor import Actor
from workflows.kernel.clock import in_utc
from workflows.kernel.errors import Conflict, Invalid, NotFound
from workflows.terms.expected_terms import NOTHING_EXPECTED, ExpectedTerms
from workflows.terms.questions import NO_ANSWERS, Answers

# All that a request names, each by its key. Mentors' listings of an inactive course can still be booked for money, so
# that a bundle of it pays, too; its products are no longer sold.
NAMED = sql(
    """
SELECT mentee.time_zone, course.id AS course_id, mentor.id AS mentor_profile_id, mentor.user_id AS mentor_user_id,
       mentor.state AS mentor_state,
       mentor.active AND EXISTS (
           SELECT FROM listings
           WHERE listings.course_id = course.id AND listings.mentor_profile_id = mentor.id AND listings.active
       ) AS teaches,
       bundle.id AS bundle_purchase_id,
       (
           SELECT jsonb_object_agg((held_offer ->> 'id') || extract(epoch FROM held_start), held_offer) FROM person_busy
           WHERE held_by_user_id = :mentee_user_id AND expires_at > now() AND held_offer IS NOT NULL
       ) AS held
FROM (VALUES (true)) AS request
LEFT JOIN users AS mentee ON mentee.id = :mentee_user_id AND mentee.erased_at IS NULL
LEFT JOIN courses AS course ON course.id = :course_id
    AND (course.active OR :bundle_purchase_id IS NOT NULL)
LEFT JOIN mentor_profiles AS mentor ON mentor.id = :mentor_profile_id
LEFT JOIN bundle_purchases AS bundle
    ON bundle.id = :bundle_purchase_id AND bundle.mentee_user_id = mentee.id
"""
).columns(held=JSONB)
_SINGLE = """
SELECT id, price_amount, price_currency, payment_mode FROM products
WHERE course_id = :course_id AND kind = 'single' AND active
  AND (duration_minutes IS NULL OR duration_minutes = :duration_minutes)
"""
PRODUCT = sql(f"{_SINGLE} AND id = :product_id")
ONLY_PRODUCT = sql(f"{_SINGLE} LIMIT 2")
# Whether a mentee can book a listing of a course at once, whatever its mode: with a credit, or by a product's price.
BOOKS_AT_ONCE = f"""
EXISTS (
    SELECT FROM bundle_purchases
    WHERE mentee_user_id = :mentee_user_id AND course_id = :course_id AND remaining_sessions > 0 AND NOT awaits_payment
      AND (duration_minutes IS NULL OR duration_minutes = :duration_minutes) AND (valid_to IS NULL OR valid_to > :now)
) OR EXISTS ({_SINGLE} AND EXISTS (SELECT FROM courses WHERE id = :course_id AND active))
"""


@dataclass(frozen=True, kw_only=True)
class IndividualRequest:
    """What is asked for."""

    course_id: UUID
    start_time: datetime  # aware; of a series, the first
    duration_minutes: int
    student_id: UUID | None = None  # the mentee; None for the caller
    mentor_profile_id: UUID | None = None  # None to have a mentor chosen
    listing_id: UUID | None = None  # of that course, duration and mentor; None for any
    product_id: UUID | None = None  # whose price is paid; without it and a bundle, the course's only product that fits
    bundle_purchase_id: UUID | None = None  # which pays with a credit for each booking
    title: str | None = None
    notes: str | None = None
    answers: Answers = NO_ANSWERS
    external_id: str | None = None
    metadata: dict[str, Any] | None = None
    recurrence: Recurrence | None = None
    time_zone: str | None = None  # of a series' wall-clock time; None for the mentee's own
    # The terms that the mentee was shown; of a series, those of each session. A session that a credit pays for has the
    # price 0. A mentor whose policy is worse, or whose questions are not answered, is not chosen.
    expected: ExpectedTerms = NOTHING_EXPECTED


def book_individual(
    db: Connection,
    *,
    actor: Actor,
    wanted: IndividualRequest,
    now: datetime,
    policy: BookingPolicy = DEFAULT_BOOKING_POLICY,
) -> tuple[Booking, Series | None]:
    """Book one session, or a series of them, and accept it at once, or once it is paid.

    Without a named mentor, the one with the fewest accepted minutes in that week is booked; another one that is free
    when a competing booking takes the time first. All bookings of a series have the same mentor: the first in that
    order who is free at all of its times; with `skip`, else at most of them.

    Returns:
        the booking, the first of a series; and the series.

    Raises:
        Forbidden: another person's session, to all but operators.
        NotFound: no such user, course (active where no bundle pays), mentor, listing of them, product that fits, or
            bundle of the mentee.
        Invalid: a start in the past; `mentor_does_not_teach`; the mentee's own listing; no means of
            payment named where the course does not have exactly one product that fits; an unusable end of a series.
        Conflict: `no_listing` of that duration; `beyond_horizon`, `too_soon`, `outside_hours` and `booking_limit` by
            the mentor's rules, notice, time off and hours; `slot_taken`; `no_mentor_free`;
            `bundle_unusable`; `no_such_time` in a series; `price_changed`; `terms_changed` by the named mentor, or by
            all of the course.
    """
    mentee_user_id = mentee_for(actor, wanted.student_id)
    found = _require_named(db, wanted, mentee_user_id)
    payment = _payment(db, wanted)
    times = _times(wanted, found.time_zone, now)
    held = found.held or {}
    order = _Order(db, actor, wanted, mentee_user_id, payment, policy, now, held)
    # A request that tries several mentors holds the lock of one of them at a time.
    one_mentor = wanted.mentor_profile_id is not None
    made, series = with_present_calendar(db, partial(_book, order, times), lock=one_mentor)
    if not made[0].awaits_payment:
        record(db, *(BookingAccepted.about(booking, actor=actor, now=now) for booking in made))
        return made[0], series
    made = await_payment(db, made, actor=actor, now=now, pay_within=policy.pay_within)
    return made[0], series and replace(series, made=made)


@dataclass(frozen=True)
class _Order:
    """A request after all that it names was found."""

    db: Connection
    actor: Actor
    wanted: IndividualRequest
    mentee_user_id: UUID
    # Columns of the booking: the product or the bundle, and the price; a bundle's has no currency.
    payment: dict[str, Any]
    policy: BookingPolicy
    now: datetime
    held: dict[str, Any]  # what the mentee holds, by the listing's id and the start

    def make(self, offer: Offer, start: datetime, series_id: UUID | None = None) -> Booking:
        """Insert the booking of an offer at that start and, where a bundle pays, spend its credit."""
        held_offer = self.held.get(f"{offer.listing.id}{start.timestamp():.6f}")
        listing, wanted = as_held(offer.listing, held_offer), self.wanted
        answers = wanted.answers.kept(listing.questions)
        require_bookable(
            self.db,
            offer.calendar,
            listing,
            start=start,
            mentee_user_id=self.mentee_user_id,
            now=self.now,
            accepted=True,
        )
        require_purchase(self.actor, self.payment["price_amount"])
        booking = insert_booking(
            self.db,
            {
                "listing_id": listing.id,
                "mentee_user_id": self.mentee_user_id,
                "course_id": wanted.course_id,
                "title": wanted.title,
                "notes": wanted.notes,
                "answers": answers,
                "external_id": wanted.external_id,
                "metadata": wanted.metadata,
                "series_id": series_id,
                **self.payment,
            },
            listing,
            mentor_profile_id=listing.mentor_profile_id,
            start_time=start,
            end_time=start + timedelta(minutes=listing.duration_minutes),
            accepted=True,
            calendar_version=offer.calendar.version,
            policy=self.policy,
            expected=wanted.expected,
        )
        if wanted.bundle_purchase_id is not None:
            spend(
                self.db,
                bundle_purchase_id=wanted.bundle_purchase_id,
                mentee_user_id=self.mentee_user_id,
                course_id=wanted.course_id,
                duration_minutes=listing.duration_minutes,
                booking_id=booking.id,
                actor=self.actor,
                now=self.now,
            )
        return booking


def _require_named(db: Connection, wanted: IndividualRequest, mentee_user_id: UUID) -> Row[Any]:
    values = {
        "mentee_user_id": mentee_user_id,
        "course_id": wanted.course_id,
        "mentor_profile_id": wanted.mentor_profile_id,
        "bundle_purchase_id": wanted.bundle_purchase_id,
    }
    found = db.execute(NAMED, values).one()
    if found.time_zone is None:
        raise NotFound("There is no such student.")
    if found.course_id is None:
        raise NotFound("There is no such course.")
    if wanted.mentor_profile_id is not None:
        if found.mentor_profile_id is None:
            raise NotFound("There is no such mentor.")
        if found.mentor_state != MentorState.ACTIVE:
            raise Conflict(code="not_bookable")
        if not found.teaches:
            raise Invalid("This TA does not teach this course", code="mentor_does_not_teach")
        if found.mentor_user_id == mentee_user_id:
            raise Invalid("You cannot book yourself.", details={"mentorProfileId": ["is your own profile"]})
    if wanted.bundle_purchase_id is not None and found.bundle_purchase_id is None:
        raise NotFound("There is no such bundle.")
    return found


def _payment(db: Connection, wanted: IndividualRequest) -> dict[str, Any]:
    if wanted.bundle_purchase_id is not None:
        return {"bundle_purchase_id": wanted.bundle_purchase_id, "price_amount": 0}
    values = {"course_id": wanted.course_id, "duration_minutes": wanted.duration_minutes}
    if wanted.product_id is not None:
        product = db.execute(PRODUCT, values | {"product_id": wanted.product_id}).one_or_none()
        if product is None:
            raise NotFound("There is no such product for a single session of this course and duration.")
    else:
        product = _require_only(db.execute(ONLY_PRODUCT, values).all())
    return {
        "product_id": product.id,
        "price_amount": product.price_amount,
        "price_currency": product.price_currency,
        "payment_mode": PaymentMode(product.payment_mode),
    }


def _require_only(products: Sequence[Row[Any]]) -> Row[Any]:
    if len(products) != 1:
        several = "several products" if products else "no product"
        raise Invalid(
            f"This course has {several} for a single session of this duration; name a product or a bundle.",
            details={"productId": ["is required, unless a bundle is named"]},
        )
    return products[0]


def _times(wanted: IndividualRequest, time_zone: str, now: datetime) -> list[Occurrence]:
    start = in_utc(wanted.start_time)
    require_start(start, now)
    if wanted.recurrence is None:
        return [Occurrence(start)]
    times = occurrences(wanted.recurrence, start, wanted.time_zone or time_zone)
    require_start(times[-1].start, now)
    return times


def _offers(order: _Order, starts: Sequence[datetime]) -> list[Offer]:
    wanted = order.wanted
    if wanted.mentor_profile_id is None:
        offers = offers_of_course(
            order.db,
            course_id=wanted.course_id,
            duration_minutes=wanted.duration_minutes,
            mentee_user_id=order.mentee_user_id,
            starts=starts,
            closed_without_hours=order.policy.closed_without_hours,
        )
    else:
        offer = offer_of_mentor(
            order.db,
            course_id=wanted.course_id,
            mentor_profile_id=wanted.mentor_profile_id,
            duration_minutes=wanted.duration_minutes,
            starts=starts,
            closed_without_hours=order.policy.closed_without_hours,
        )
        offers = [] if offer is None else [offer]
    if not offers:
        raise Conflict(
            f"There is no listing of {wanted.duration_minutes} minutes; choose another duration.", code="no_listing"
        )
    if wanted.listing_id is not None:
        offers = [offer for offer in offers if offer.listing.id == wanted.listing_id]
        if not offers:
            raise NotFound("There is no such listing of this course, duration and mentor.")
    others = [offer for offer in offers if offer.user_id != order.mentee_user_id]
    # Where all have a worse policy, or questions that are not answered, the first of them tells.
    suitable = (
        each
        for each in others
        if not wanted.expected.is_worse(each.listing) and wanted.answers.fit(each.listing.questions)
    )
    return list(suitable) or others[:1]


def _book(order: _Order, times: Sequence[Occurrence]) -> tuple[list[Booking], Series | None]:
    offers = _offers(order, [time.start for time in times])
    if order.wanted.recurrence is None:
        return [_book_once(order, offers, times[0].start)], None
    series = _book_series(order, offers, times, order.wanted.recurrence.on_conflict)
    return series.made, series


def _book_once(order: _Order, offers: Sequence[Offer], start: datetime) -> Booking:
    if order.wanted.mentor_profile_id is not None:
        return order.make(offers[0], start)
    for offer in offers:
        if offer.is_free(start, order.now):
            try:
                # Releases the mentor's lock: a request that tries several holds one of them at a time.
                with savepoint(order.db):
                    return order.make(offer, start)
            except Conflict as refusal:
                if not is_lost_to_another(refusal):
                    raise
    raise Conflict(code="no_mentor_free")


class _TakenBackError(Exception):
    """Takes a series back, of which so many were made, to look for a mentor who has room for more."""

    def __init__(self, made: int) -> None:
        super().__init__()
        self.made = made


def _book_series(
    order: _Order, offers: Sequence[Offer], times: Sequence[Occurrence], on_conflict: OnConflict
) -> Series:
    def attempt(offer: Offer) -> Series:
        mentor, mentee = offer.listing.mentor_profile_id, order.mentee_user_id
        version = offer.calendar.version
        lock_parties(order.db, mentor_profile_id=mentor, mentee_user_id=mentee, calendar_version=version)
        return book_occurrences(order.db, times, partial(order.make, offer), on_conflict=on_conflict)

    if order.wanted.mentor_profile_id is not None:
        return attempt(offers[0])
    starts = [time.start for time in times if time.exists]
    occupied = [(offer, [start for start in starts if not offer.is_free(start, order.now)]) for offer in offers]
    # Sorting keeps the order of those who are free equally often.
    occupied.sort(key=lambda each: len(each[1]))
    if on_conflict is OnConflict.FAIL:
        possible = [each for each in occupied if not each[1]]
    else:
        possible = [each for each in occupied if not each[1] or each[1] != starts]
    return _book_most(order, attempt, possible, starts, occupied[0][1] if occupied else starts)


def _book_most(
    order: _Order,
    attempt: Callable[[Offer], Series],
    possible: Sequence[tuple[Offer, list[datetime]]],
    starts: Sequence[datetime],
    missed_by_first: Sequence[datetime],
) -> Series:
    in_the_way = times_in_details(missed_by_first)
    of_mentee: Conflict | None = None
    made, best = -1, None
    for offer, missed in possible:
        if len(starts) - len(missed) <= made:
            break
        try:
            tried = _try(order, attempt, offer, more_than=made, is_last=offer is possible[-1][0])
        except Conflict as refusal:
            is_of_mentee = not is_lost_to_another(refusal)
            # Another mentor may be free at the times that this one has missed, where the mentee is free too.
            if is_of_mentee and not missed:
                raise
            of_mentee = of_mentee or (refusal if is_of_mentee else None)
            in_the_way = refusal.details or in_the_way
            continue
        if isinstance(tried, Series):
            return tried
        if tried > made:
            made, best = tried, offer
    if best is not None:
        return attempt(best)
    if of_mentee is not None:
        raise of_mentee
    raise Conflict(code="no_mentor_free", details=in_the_way)


def _try(
    order: _Order, attempt: Callable[[Offer], Series], offer: Offer, *, more_than: int, is_last: bool
) -> Series | int:
    """The series with that mentor; or, taken back for one who may have room for more, how many it had."""
    try:
        with savepoint(order.db):
            series = attempt(offer)
            limited = any(each.refusal.code == "booking_limit" for each in series.skipped)
            if len(series.made) <= more_than or (limited and not is_last):
                raise _TakenBackError(len(series.made))
            return series
    except _TakenBackError as taken_back:
        return taken_back.made
