"""The domain error for each violated constraint: the database holds the rules, this module their messages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy.exc import DBAPIError, IntegrityError

from workflows.kernel.errors import Conflict, DomainError, Invalid, InvalidTransition, NotFound, RateLimited

_TAKEN = "The mentor is already booked at this time; choose another time."
TIME_OFF = "The mentor has time off at this time; choose another time."
BUSY_ELSEWHERE = "The mentor is busy at this time; choose another time."
_MENTEE_TAKEN = "The mentee is already booked at this time; choose another time."


def mentee_taken() -> Conflict:
    """The refusal of a mentee who is busy at that time, as mentee or as mentor."""
    return Conflict(_MENTEE_TAKEN, code="slot_taken", details={"mentee": [_MENTEE_TAKEN]})


_MEANINGS: dict[str, Callable[[], DomainError]] = {
    # The trigger before it tells whose calendar it is.
    "ex_person_busy_user_id_busy": partial(Conflict, _TAKEN, code="slot_taken"),
    "tr_person_busy_mentor": partial(Conflict, _TAKEN, code="slot_taken"),
    "tr_person_busy_mentee": mentee_taken,
    "mentor_block": partial(Conflict, code="not_bookable"),
    "tr_person_busy_time_off": partial(Conflict, TIME_OFF, code="outside_hours"),
    "tr_person_busy_outside": partial(Conflict, BUSY_ELSEWHERE, code="slot_taken"),
    "uq_calendar_feeds_mentor_profile_id_url_digest": partial(Conflict, code="calendar_feed_exists"),
    "uq_bookings_open_draft": partial(
        Conflict, "You have already requested this time of the mentor; wait for the answer.", code="booking_limit"
    ),
    "open_drafts_of_mentor": partial(
        Conflict,
        "Too many of your requests to this mentor are open; wait for an answer, or withdraw one.",
        code="booking_limit",
    ),
    "open_drafts": partial(
        Conflict, "Too many of your requests are open; wait for an answer, or withdraw one.", code="booking_limit"
    ),
    "tr_bookings_texts": partial(
        RateLimited,
        "You have stored very much with the bookings of the last 24 hours; wait, or book with less metadata and shorter"
        " notes.",
        retry_after=3600,
    ),
    "pk_booking_participants": partial(Conflict, code="already_joined"),
    "fk_booking_participants_bundle_purchase_id": partial(NotFound, "There is no such bundle."),
    "uq_person_busy_booking_id_user_id": partial(InvalidTransition, "This booking has already been accepted."),
    "uq_sessions_booking_id": partial(Conflict, code="duplicate_session"),
    "pk_sessions": partial(Conflict, code="duplicate_session"),
    "tr_sessions_booking_accepted": partial(InvalidTransition, "Only an accepted booking becomes a session."),
    "tr_bookings_status": partial(InvalidTransition, "This booking has already been decided."),
    "tr_bookings_unpaid": partial(InvalidTransition, "This booking is accepted by its payment."),
    "tr_booking_participants_paid": partial(InvalidTransition, "This seat is taken by its payment."),
    "uq_payments_awaited_seat": partial(Conflict, code="already_joined"),
    "tr_payments_status": partial(InvalidTransition, "This step is not possible in the payment's present state."),
    "uq_payments_reference": partial(
        Conflict, "This reference belongs to another payment; each payment has its own.", code="reference_in_use"
    ),
    "ck_payments_refunds": partial(
        Conflict, "This is more than what is left of the payment.", code="refund_exceeds_payment"
    ),
    "uq_reschedule_proposals_open": partial(InvalidTransition, "Another time of this session was just proposed."),
    "tr_sessions_status": partial(InvalidTransition, "This step is not possible in the session's present state."),
    **{
        f"uq_{table}_external_id": partial(Conflict, code="external_id_taken", details={"externalId": ["is taken"]})
        for table in (
            *("users", "mentor_profiles", "courses", "products", "listings", "group_session_templates"),
            *("bundle_purchases", "bookings"),
        )
    },
    "uq_users_email": partial(Conflict, code="email_taken"),
    "tr_mentor_profiles_erased": partial(NotFound, "The mentor has deleted their account."),
    "uq_mentor_profiles_user_id": partial(Conflict, code="profile_exists"),
    "fk_mentor_profiles_user_id": partial(NotFound, "There is no such user."),
    "uq_webhook_endpoints_mentor_profile_id_url": partial(Conflict, code="endpoint_exists"),
    "fk_listings_course_id": partial(NotFound, "There is no such course."),
    "uq_listings_course_id_mentor_profile_id_duration_minutes": partial(Conflict, code="listing_exists"),
    "ex_listings_mentor_profile_id_duration_minutes_price_currency": partial(Conflict, code="currency_differs"),
    "fk_bundle_purchases_mentee_user_id": partial(NotFound, "There is no such student."),
    "uq_bundle_purchases_open": partial(Conflict, code="already_purchased"),
    "uq_reviews_session_id_mentee_user_id": partial(Conflict, code="already_reviewed"),
    "tr_reviews_answered_once": partial(Conflict, code="already_answered"),
    "ck_bookings_ends_after_it_starts": partial(Invalid, "A booking must end after it starts."),
}


def constraint_of(error: DBAPIError) -> str | None:
    """The name of the constraint or trigger that was violated, if the driver reports it."""
    diagnostics = getattr(error.orig, "diag", None)
    return getattr(diagnostics, "constraint_name", None)


def error_of(error: DBAPIError) -> DomainError | None:
    """The domain error of a violated constraint; None for a constraint that only a defect can violate."""
    meaning = _MEANINGS.get(constraint_of(error) or "")
    return meaning() if meaning else None


@contextmanager
def constraint_errors() -> Iterator[None]:
    """Raise the domain error of a violated constraint instead of the database's error."""
    try:
        yield
    except IntegrityError as error:
        raise error_of(error) or error from error
