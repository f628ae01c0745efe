"""Every code with which a request can be refused: its status, and when it happens. One table for answers and docs."""

from __future__ import annotations

from typing import NamedTuple

from workflows import errors


class Refusal(NamedTuple):
    """What a code means: the HTTP status it is answered with, and a sentence for the documentation."""

    status: int
    when: str


REFUSALS: dict[str, Refusal] = {
    "invalid_request": Refusal(400, "The body, the query or a header does not fit; `details` says where."),
    "invalid_transition": Refusal(400, "The state machine has no such step from here, the one already made included."),
    "too_early": Refusal(400, "A session is started before its listing's early-start window."),
    "unauthenticated": Refusal(401, "Credentials are missing, malformed, forged, expired or of nobody known."),
    "forbidden": Refusal(403, "The caller is known and may not do this."),
    "not_found": Refusal(404, "What the path or the body names does not exist; a malformed id in a path included."),
    "session_pending": Refusal(404, "The booking is accepted and its session is about to be there; see `Retry-After`."),
    "method_not_allowed": Refusal(405, "The route knows other methods; `Allow` lists them."),
    "slot_taken": Refusal(409, "The mentor is already taken at this time."),
    "outside_hours": Refusal(409, "The mentor has said other hours."),
    "too_soon": Refusal(409, "The listing wants more notice."),
    "duplicate_session": Refusal(409, "The booking has its session already."),
    "email_taken": Refusal(409, "There is an account with this mail address already."),
    "listing_exists": Refusal(409, "The mentor has a listing of this course already."),
    "already_reviewed": Refusal(409, "The mentee has reviewed the session already."),
    "review_not_open": Refusal(409, "The session is not completed yet, or was more than thirty days ago."),
    "already_answered": Refusal(409, "The mentor has answered the review already."),
    "not_cancellable": Refusal(409, "The listing's policy lets no mentee cancel."),
    "profile_exists": Refusal(409, "The user has a mentor profile already."),
    "endpoint_exists": Refusal(409, "There is an endpoint with this address already."),
    "endpoint_limit": Refusal(409, "The owner has 50 webhook endpoints already."),
    "endpoint_not_active": Refusal(409, "The webhook endpoint hears of nothing before it is active again."),
    "delivery_in_progress": Refusal(409, "A worker has the delivery in hand at the moment."),
    "secret_limit": Refusal(409, "Ten secrets of the webhook endpoint are valid already."),
    "push_off": Refusal(409, "Nothing is pushed here: whoever runs this has set no key for it."),
    "key_in_use": Refusal(409, "A request with this Idempotency-Key is being answered; see `Retry-After`."),
    "stale": Refusal(412, "If-Match names another version than the present one."),
    "too_large": Refusal(413, "The body is larger than 256 kB."),
    "unsupported_media_type": Refusal(415, "The body is not declared as application/json, or is not plain UTF-8."),
    "key_reused": Refusal(422, "This Idempotency-Key belongs to another request."),
    "internal_error": Refusal(500, "A defect of ours; the log holds it under the request's id."),
    "unavailable": Refusal(503, "The database cannot be reached; see `Retry-After`."),
}

# The one place where a domain error becomes a status. A subclass comes before its base.
STATUS_OF_KIND: dict[type[errors.DomainError], int] = {
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Invalid: 400,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.KeyReused: 422,
}

CODE_OF_STATUS: dict[int, str] = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    500: "internal_error",
    503: "unavailable",
}


def status_of(error: errors.DomainError) -> int:
    """The status that a domain error's kind stands for."""
    return next((status for kind, status in STATUS_OF_KIND.items() if isinstance(error, kind)), 500)
