"""The domain error for each violated constraint: the database holds the rules, their messages stand here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError

from workflows.errors import Conflict, DomainError, Invalid, InvalidTransition, NotFound

_MEANINGS: dict[str, tuple[type[DomainError], str | None, str]] = {
    "ex_mentor_busy_mentor_profile_id_busy": (
        Conflict,
        "slot_taken",
        "The mentor is already booked at this time; choose another time.",
    ),
    "uq_mentor_busy_booking_id": (InvalidTransition, None, "This booking has already been accepted."),
    "uq_sessions_booking_id": (Conflict, "duplicate_session", "This booking already has a session."),
    "pk_sessions": (Conflict, "duplicate_session", "This booking already has a session."),
    "tr_sessions_booking_accepted": (InvalidTransition, None, "Only an accepted booking becomes a session."),
    "tr_bookings_status": (InvalidTransition, None, "This booking has already been decided."),
    "tr_sessions_status": (InvalidTransition, None, "This step is not possible in the session's present state."),
    "uq_users_email": (Conflict, "email_taken", "There is already an account with this email address."),
    "uq_mentor_profiles_user_id": (Conflict, "profile_exists", "This user already has a mentor profile."),
    "fk_mentor_profiles_user_id": (NotFound, None, "There is no such user."),
    "uq_webhook_endpoints_mentor_profile_id_url": (
        Conflict,
        "endpoint_exists",
        "There is already an endpoint with this URL.",
    ),
    "fk_listings_course_id": (NotFound, None, "There is no such course."),
    "uq_listings_course_id_mentor_profile_id": (
        Conflict,
        "listing_exists",
        "You already have a listing for this course; change that one.",
    ),
    "uq_reviews_session_id_mentee_user_id": (Conflict, "already_reviewed", "You have already reviewed this session."),
    "tr_reviews_answered_once": (Conflict, "already_answered", "You have already answered this review."),
    "ck_bookings_ends_after_it_starts": (Invalid, None, "A booking must end after it starts."),
}


def constraint_of(error: DBAPIError) -> str | None:
    """The name of the constraint or trigger that was violated, if the driver reports it."""
    diagnostics = getattr(error.orig, "diag", None)
    return getattr(diagnostics, "constraint_name", None)


def error_of(error: DBAPIError) -> DomainError | None:
    """The domain error that a violated constraint stands for; None for a constraint that only a defect can violate."""
    meaning = _MEANINGS.get(constraint_of(error) or "")
    if meaning is None:
        return None
    kind, code, message = meaning
    return kind(message, code=code)


@contextmanager
def constraint_errors() -> Iterator[None]:
    """Raise the domain error in place of the violated constraint that it stands for."""
    try:
        yield
    except IntegrityError as error:
        raise error_of(error) or error from error
