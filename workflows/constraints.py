"""Which refusal a violated constraint stands for: the database holds the rules, these are their good messages."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from workflows.errors import Conflict, DomainError, Invalid, InvalidTransition, NotFound

SLOT_TAKEN = "ex_mentor_busy_mentor_profile_id_busy"

_MEANINGS: dict[str, tuple[type[DomainError], str | None, str]] = {
    SLOT_TAKEN: (Conflict, "slot_taken", "The mentor is already taken at this time; choose another one."),
    "uq_mentor_busy_booking_id": (InvalidTransition, None, "This booking has already been accepted."),
    "uq_sessions_booking_id": (Conflict, "duplicate_session", "This booking has its session already."),
    "pk_sessions": (Conflict, "duplicate_session", "This booking has its session already."),
    "tr_sessions_booking_accepted": (InvalidTransition, None, "Only an accepted booking becomes a session."),
    "tr_bookings_status": (InvalidTransition, None, "The booking has been decided already."),
    "tr_sessions_status": (InvalidTransition, None, "The session is not in a state from which this step leads."),
    "uq_users_email": (Conflict, "email_taken", "There is an account with this mail address already."),
    "uq_mentor_profiles_user_id": (Conflict, "profile_exists", "This user has a mentor profile already."),
    "fk_mentor_profiles_user_id": (NotFound, None, "There is no such user."),
    "uq_webhook_endpoints_mentor_profile_id_url": (
        Conflict,
        "endpoint_exists",
        "There is an endpoint with this address already.",
    ),
    "fk_listings_course_id": (NotFound, None, "There is no such course."),
    "uq_listings_course_id_mentor_profile_id": (
        Conflict,
        "listing_exists",
        "You have a listing of this course already; change that one.",
    ),
    "uq_reviews_session_id_mentee_user_id": (
        Conflict,
        "already_reviewed",
        "You have reviewed this session already.",
    ),
    "tr_reviews_answered_once": (Conflict, "already_answered", "You have answered this review already."),
    "ck_bookings_ends_after_it_starts": (Invalid, None, "A booking must end after it starts."),
}


def constraint_of(error: DBAPIError) -> str | None:
    """The name of the constraint or guard that was violated, if the driver says so."""
    diagnostics = getattr(error.orig, "diag", None)
    return getattr(diagnostics, "constraint_name", None)


def error_of(error: DBAPIError) -> DomainError | None:
    """The domain error that a violated constraint stands for; None for a constraint that only a defect can violate."""
    meaning = _MEANINGS.get(constraint_of(error) or "")
    if meaning is None:
        return None
    kind, code, message = meaning
    return kind(message, code=code)
