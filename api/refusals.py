"""Every error code: its status, when it is returned, and the one shape of all. One table for answers and documentation.

Without Flask, which the process of live updates has no use for.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from workflows.kernel import errors


class Refusal(NamedTuple):
    """The HTTP status of a code, and its description in the documentation."""

    status: int
    when: str


def _with_sentence(status: int, *codes: str) -> dict[str, Refusal]:
    return {code: Refusal(status, errors.SENTENCES[code]) for code in codes}


REFUSALS: dict[str, Refusal] = {
    "invalid_request": Refusal(400, "The body, the query or a header does not fit, or a booking lies in the past."),
    "invalid_transition": Refusal(400, "The booking or session cannot take this step in its present state."),
    "too_early": Refusal(
        400, "A session is started before its early-start window opens, or a no-show reported within 15 minutes."
    ),
    "mentor_does_not_teach": Refusal(
        400, "The mentor who is named for a session of a course has no active listing of it."
    ),
    "unauthenticated": Refusal(401, "Credentials are missing, malformed, forged, expired, or of an unknown user."),
    "forbidden": Refusal(403, "The caller is known, but not allowed to do this."),
    "not_found": Refusal(404, "Nothing has this id; also for an id that is no UUID."),
    "method_not_allowed": Refusal(405, "The method is not allowed here; `Allow` lists those that are."),
    "slot_taken": Refusal(
        409,
        "The mentor or, with `details.mentee`, the mentee is already booked or busy at this time; with"
        " `details.calendars`, it is unknown whether the mentor is busy.",
    ),
    "outside_hours": Refusal(409, "The session does not lie within the mentor's hours, or overlaps their time off."),
    "beyond_horizon": Refusal(409, "The start is further ahead than the mentor's rules, or five years, allow."),
    "booking_limit": Refusal(
        409, "A limit of the mentor's sessions, or of the mentee's open requests or holds, is reached."
    ),
    "calendar_feed_limit": Refusal(409, "The mentor has ten outside calendars."),
    "sessions_in_the_way": Refusal(
        409, "Accepted sessions lie in the time off that a mentor takes; `details.sessions` lists them."
    ),
    "too_soon": Refusal(409, "The start is closer than the listing's `minNoticeMinutes`."),
    "bundle_unusable": Refusal(
        409,
        "The bundle does not pay for this; `details.bundlePurchaseId`: other_course, unpaid, expired, empty,"
        " wrong_duration.",
    ),
    "price_changed": Refusal(409, "The price is not `expectedPrice`; `details.price` has the present one."),
    "terms_changed": Refusal(
        409, "The cancellation policy is worse than `expectedCancellation`; `details.cancellation` has it, or null."
    ),
    "already_paid": Refusal(409, "The payment has been paid under another reference."),
    "reference_in_use": Refusal(409, "The reference belongs to another payment."),
    "wrong_amount": Refusal(409, "This is not the payment's amount; `details.amount` has it."),
    "refund_exceeds_payment": Refusal(409, "The refund is more than what is left; `details.amount` has that."),
    "no_payment_provider": Refusal(409, "No payment provider takes this payment; the marketplace takes it itself."),
    "already_refunded": Refusal(409, "The refund is done under another reference."),
    "no_listing": Refusal(409, "There is no active listing of this duration, of the mentor or the course."),
    "group_full": Refusal(409, "All seats of a group are taken or offered, or the new capacity is below their number."),
    "review_not_open": Refusal(409, "The session is not completed yet, or more than thirty days have passed since."),
    "still_open": Refusal(
        409, "Sessions, requests or credits of an account that is to be deleted are open; `details` has their ids."
    ),
    "not_cancellable": Refusal(409, "The listing's policy does not allow mentees to cancel."),
    "not_reschedulable": Refusal(
        409, "The booking's terms do not let the caller move the session; `details.reason`: off, window, max_times."
    ),
    "proposal_open": Refusal(
        409, "The other party has proposed another time of the session; `details.proposal` has its id."
    ),
    "quota_reached": Refusal(
        409,
        "A mentor has 500 listings or templates, 5,000 times off, or hours of their own on 2,000 dates, or there are"
        " 100 keys.",
    ),
    "endpoint_limit": Refusal(409, "The owner has 50 webhook endpoints."),
    "endpoint_not_active": Refusal(409, "The webhook endpoint is not active, so nothing is sent to it."),
    "secret_limit": Refusal(409, "Ten secrets of the webhook endpoint are valid already."),
    "key_in_use": Refusal(409, "The first request under this `Idempotency-Key` is still being answered."),
    "request_timeout": Refusal(408, "The body took more than 10 seconds to arrive."),
    "gone": Refusal(410, "The link out of a mail has already been used."),
    "stale": Refusal(412, "`If-Match` names another version than the present one."),
    "too_large": Refusal(
        413,
        "The body is larger than its route takes: 64 kB, 256 kB for bookings and completed sessions, 64 MB for imports,"
        " 2 kB for the component's beacons.",
    ),
    "uri_too_long": Refusal(414, "The address, with its query, is longer than 8 kB."),
    "unsupported_media_type": Refusal(
        415,
        "The body is not declared as `application/json` (an import as `application/x-ndjson`), is not plain UTF-8, or"
        " is not a form where a link from a mail needs one.",
    ),
    "key_reused": Refusal(422, "This `Idempotency-Key` belongs to another request."),
    "rate_limited": Refusal(
        429,
        "The caller has done this too often, has stored too much, or exceeds the rate limits; `Retry-After` has"
        " the seconds to wait.",
    ),
    "headers_too_large": Refusal(431, "There are more than 90 headers, or they are larger than 32 kB."),
    "internal_error": Refusal(500, "A defect in Tutelage; the log has it under the request's id."),
    "unavailable": Refusal(
        503, "The database cannot be reached, or the transaction lost a race twice; see `Retry-After`."
    ),
    **_with_sentence(400, "not_a_group"),
    **_with_sentence(403, "blocked"),
    **_with_sentence(404, "session_pending"),
    **_with_sentence(
        409,
        *("calendar_feed_exists", "already_purchased", "no_mentor_free", "no_such_time", "already_joined"),
        *("not_bookable", "seats_free", "no_offer", "duplicate_session", "email_taken", "external_id_taken"),
        *("listing_exists", "currency_differs", "already_reviewed", "already_answered", "profile_exists"),
        *("endpoint_exists", "delivery_in_progress", "push_off", "template_inactive"),
    ),
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
    413: "The body is too large; the limit is 64 kB, 256 kB for bookings and completed sessions, or 64 MB for imports.",
    414: "The address is too long; with its query, the limit is 8 kB.",
    431: "The headers are too many or too large; the limits are 90 headers and 32 kB.",
    500: "An internal error occurred; please quote the request id if you report it.",
    503: "The service is temporarily unavailable; try again in a moment.",
}


def status_of(error: errors.DomainError) -> int:
    return next((status for kind, status in STATUS_OF_KIND.items() if isinstance(error, kind)), 500)


def shape(
    status: int, code: str, message: str, request_id: str | None, details: Mapping[str, object] | None = None
) -> dict[str, object]:
    body: dict[str, object] = {"statusCode": status, "error": HTTPStatus(status).phrase, "message": message}
    body["code"] = code
    if details:
        body["details"] = details
    return {**body, "requestId": request_id}
