"""Domain errors: a kind, a stable code, and a sentence for the person who reads it."""

from typing import Any

from workflows.kernel.language import gettext_noop

# The sentence of each code that has one alone. Codes of several reasons get theirs where they are raised.
SENTENCES = {
    "session_pending": "The session is being created; try again in a moment.",
    "not_a_group": "This booking is not a group session.",
    "calendar_feed_exists": "You already have a calendar with this address.",
    "already_purchased": "There is already an open bundle of this product; use up its sessions before buying another.",
    "no_mentor_free": "No mentor of this course is free at the wanted times; choose other ones.",
    "no_such_time": "The clocks skip this time on that date; the other dates have it.",
    "already_joined": "You already have a seat in this group session.",
    "not_bookable": "This mentor cannot be booked; choose another one.",
    "seats_free": "There are free seats; join the group session instead.",
    "no_offer": gettext_noop("No seat is kept for you: there was no offer, or it has ended."),
    "duplicate_session": "This booking already has a session.",
    "email_taken": gettext_noop("There is already an account with this email address."),
    "listing_exists": "You already have an active listing of this duration for this course; change that one.",
    "currency_differs": (
        "Your other active listings of this duration have another currency; use it, or make them inactive first."
    ),
    "already_reviewed": gettext_noop("You have already reviewed this session."),
    "already_answered": "You have already answered this review.",
    "external_id_taken": "Another one of this kind has this external id.",
    "blocked": gettext_noop("This account is blocked; ask the operator of the service."),
    "profile_exists": "This user already has a mentor profile.",
    "endpoint_exists": "There is already an endpoint with this URL.",
    "delivery_in_progress": "A worker is running this delivery; look again in a moment whether it is done.",
    "push_off": "Web Push is not configured on this server.",
    "no_payment_provider": "No payment provider takes this payment; ask the marketplace how to pay.",
    "template_inactive": "This template is not active; activate it before you schedule it.",
}


class DomainError(Exception):
    """A refusal by a business rule. Its class is its kind; the API maps kinds to HTTP statuses.

    Args:
        message: a sentence: what was wrong, and what would be right; None for the one of `SENTENCES`.
        code: the stable name of this refusal, part of the HTTP contract.
        details: reasons by field, where single fields are to blame; of some codes the present value by its name.
        retry_after: seconds after which the same request may succeed.
    """

    default_code = "error"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.code = code or self.default_code
        self.message = message or SENTENCES[self.code]
        super().__init__(self.message)
        self.details = details
        self.retry_after = retry_after


class Unauthenticated(DomainError):
    """The caller is unknown."""

    default_code = "unauthenticated"


class Forbidden(DomainError):
    """The caller is known, but not allowed to do this."""

    default_code = "forbidden"


class Blocked(Forbidden):
    """Staff have blocked the caller's account."""

    default_code = "blocked"


class NotFound(DomainError):
    """The named thing does not exist, or not yet."""

    default_code = "not_found"


class Invalid(DomainError):
    """The request is invalid in itself, whatever the state of the system."""

    default_code = "invalid_request"


class InvalidTransition(Invalid):
    """The state machine has no such step from here.

    Args:
        message: as for every refusal.
        step: the state machine, the state before and the state wanted, where they are known; counted as a metric.
    """

    default_code = "invalid_transition"

    def __init__(self, message: str, *, code: str | None = None, step: tuple[str, str, str] | None = None) -> None:
        super().__init__(message, code=code)
        self.step = step


class Conflict(DomainError):
    """The request is valid, but conflicts with the present state."""

    default_code = "conflict"


class TermsChanged(Conflict):
    """The offer has another price, or a worse cancellation policy, than the person was shown; nothing is made."""


class Gone(DomainError):
    """The named thing could be used once, and has been used."""

    default_code = "gone"


class RateLimited(DomainError):
    """The caller has done this too often; `retry_after` is when it is possible again."""

    default_code = "rate_limited"


class Stale(DomainError):
    """The caller read an older version of the resource, which is called `subject`."""

    default_code = "stale"

    def __init__(self, subject: str) -> None:
        super().__init__(f"You have read an older version of the {subject}; read it again.")


class KeyReused(DomainError):
    """An Idempotency-Key came back with another request."""

    default_code = "key_reused"
