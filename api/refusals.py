"""Every error code: its status, when it is returned, and the one shape of all. One table for answers and documentation.

Without Flask, which the process of live updates has no use for.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from workflows.kernel import errors


class Refusal(NamedTuple):
    """The HTTP status of a code, and its description in the documentation."""

    status: int
    when: str


REFUSALS: dict[str, Refusal] = {
    "invalid_request": Refusal(400, "The body, query or a header is invalid; see `details`."),
    "invalid_transition": Refusal(400, "The transition is not allowed in the present state, or has already been made."),
    "too_early": Refusal(400, "The session cannot be started yet, or a no-show not be reported yet."),
    "not_a_group": Refusal(400, "The booking is not a group session."),
    "mentor_does_not_teach": Refusal(400, "The mentor has no active listing of the course."),
    "unauthenticated": Refusal(401, "Credentials are missing, malformed, forged, expired or of an unknown user."),
    "forbidden": Refusal(403, "The caller is not allowed to do this."),
    "not_found": Refusal(404, "What the path or the body names does not exist, or the path has a malformed id."),
    "session_pending": Refusal(404, "The booking is accepted and its session is being created; see `Retry-After`."),
    "method_not_allowed": Refusal(405, "The method is not allowed; see `Allow`."),
    "slot_taken": Refusal(409, "The mentor or the mentee is taken or busy at this time; see `details`."),
    "outside_hours": Refusal(409, "The time is outside the mentor's hours, or in their time off."),
    "beyond_horizon": Refusal(409, "The time is further ahead than the mentor can be booked."),
    "booking_limit": Refusal(409, "A limit of the mentor's sessions, or of open requests or holds, is reached."),
    "calendar_feed_exists": Refusal(409, "The mentor already has an outside calendar with this address."),
    "calendar_feed_limit": Refusal(409, "The mentor already has ten outside calendars."),
    "sessions_in_the_way": Refusal(409, "Accepted sessions are in the way; `details.sessions` has their ids."),
    "too_soon": Refusal(409, "The time is closer than the listing's minimum notice."),
    "already_purchased": Refusal(409, "The mentee has an open bundle of this product."),
    "bundle_unusable": Refusal(
        409,
        "The bundle does not pay for this; `details.bundlePurchaseId`: other_course, expired, empty, wrong_duration.",
    ),
    "price_changed": Refusal(409, "The price is not `expectedPrice`; `details.price` has the present one."),
    "terms_changed": Refusal(
        409, "The cancellation policy is worse than `expectedCancellation`; `details.cancellation` has it, or null."
    ),
    "no_listing": Refusal(409, "There is no listing of that duration."),
    "no_mentor_free": Refusal(409, "No mentor of the course is free at that time."),
    "no_such_time": Refusal(409, "The clocks skip the time of a series on one of its dates."),
    "already_joined": Refusal(409, "The person already has a seat in the group session."),
    "group_full": Refusal(
        409, "All seats of the group session are taken or offered, or more than its capacity would be."
    ),
    "not_bookable": Refusal(409, "The mentor of the group session is not active."),
    "seats_free": Refusal(409, "The group session has free seats; join it instead."),
    "no_offer": Refusal(409, "No seat is kept for the caller, or no longer."),
    "duplicate_session": Refusal(409, "The booking already has a session."),
    "email_taken": Refusal(409, "The mail address is already in use."),
    "listing_exists": Refusal(409, "The mentor already has an active listing of this course and duration."),
    "currency_differs": Refusal(409, "The mentor's other active listings of this duration have another currency."),
    "already_reviewed": Refusal(409, "The mentee has already reviewed the session."),
    "review_not_open": Refusal(409, "The session is not completed, or was completed more than 30 days ago."),
    "already_answered": Refusal(409, "The mentor has already answered the review."),
    "still_open": Refusal(409, "Sessions, requests or credits of the account are still open; `details` has their ids."),
    "not_cancellable": Refusal(409, "The listing's policy does not allow mentees to cancel."),
    "profile_exists": Refusal(409, "The user already has a mentor profile."),
    "endpoint_exists": Refusal(409, "An endpoint with this URL already exists."),
    "quota_reached": Refusal(409, "The mentor has as many listings, templates, times off or dates as there may be."),
    "endpoint_limit": Refusal(409, "The owner already has 50 webhook endpoints."),
    "endpoint_not_active": Refusal(409, "The webhook endpoint is not active."),
    "delivery_in_progress": Refusal(409, "A worker is processing the delivery."),
    "secret_limit": Refusal(409, "The webhook endpoint already has ten valid secrets."),
    "push_off": Refusal(409, "Web Push is not configured on this server."),
    "template_inactive": Refusal(409, "The template is not active."),
    "key_in_use": Refusal(409, "A request with this Idempotency-Key is in progress; see `Retry-After`."),
    "request_timeout": Refusal(408, "The body took more than 10 seconds to arrive."),
    "gone": Refusal(410, "The link out of a mail has already been used."),
    "stale": Refusal(412, "If-Match does not name the present version."),
    "too_large": Refusal(413, "The body is larger than its route takes; the message has the limit."),
    "uri_too_long": Refusal(414, "The address with its query is longer than 8 kB."),
    "unsupported_media_type": Refusal(415, "The body is not declared as application/json, or is not plain UTF-8."),
    "key_reused": Refusal(422, "The Idempotency-Key was used for a different request."),
    "rate_limited": Refusal(429, "The caller, or the address, has done this too often; see `Retry-After`."),
    "headers_too_large": Refusal(431, "There are more than 90 headers, or they are larger than 32 kB."),
    "internal_error": Refusal(500, "An internal error, logged under the request id."),
    "unavailable": Refusal(503, "The database is unavailable; see `Retry-After`."),
}

# The one place where a domain error becomes a status. A subclass comes before its base.
STATUS_OF_KIND: dict[type[errors.DomainError], int] = {
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Invalid: 400,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.Stale: 412,
    errors.KeyReused: 422,
    errors.RateLimited: 429,
}

CODE_OF_STATUS: dict[int, str] = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    431: "headers_too_large",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}

# In place of Werkzeug's own descriptions.
SENTENCES = {
    404: "There is no such route.",
    405: "This method is not allowed here; the Allow header lists those that are.",
    408: "The body took too long to arrive.",
    413: "The body is too large; the limit is 64 kB, or 256 kB for bookings and completed sessions.",
    414: "The address is too long; with its query, the limit is 8 kB.",
    431: "The headers are too many or too large; the limits are 90 headers and 32 kB.",
    500: "An internal error occurred; please quote the request id if you report it.",
    503: "The service is temporarily unavailable; try again in a moment.",
}


def status_of(error: errors.DomainError) -> int:
    """The status of a domain error, by its kind."""
    return next((status for kind, status in STATUS_OF_KIND.items() if isinstance(error, kind)), 500)


def shape(
    status: int, code: str, message: str, request_id: str | None, details: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The body of every error."""
    body: dict[str, object] = {"statusCode": status, "error": HTTPStatus(status).phrase, "message": message}
    body["code"] = code
    if details:
        body["details"] = details
    return {**body, "requestId": request_id}
