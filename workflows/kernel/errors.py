"""Domain errors: a kind, a stable code, and a sentence for the person who reads it."""

from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """A refusal by a business rule. Its class is its kind; the API maps kinds to HTTP statuses.

    Args:
        message: a sentence: what was wrong, and what would be right.
        code: the stable name of this refusal, part of the HTTP contract.
        details: reasons by field, where single fields are to blame; of some codes the present value by its name.
        retry_after: seconds after which the same request may succeed.
    """

    default_code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details
        self.retry_after = retry_after


class Unauthenticated(DomainError):
    """The caller is unknown."""

    default_code = "unauthenticated"


class Forbidden(DomainError):
    """The caller is known, but not allowed to do this."""

    default_code = "forbidden"


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
    """The caller read an older version of the resource."""

    default_code = "stale"


class KeyReused(DomainError):
    """An Idempotency-Key came back with another request."""

    default_code = "key_reused"
