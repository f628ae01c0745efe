"""What a business rule says when it refuses: a kind, a stable code, and a sentence for the person who reads it."""

from __future__ import annotations


class DomainError(Exception):
    """A refusal. Its kind is its class; the API alone knows which HTTP status a kind becomes.

    Args:
        message: one sentence, saying what was wrong and what would be right.
        code: the stable name of this refusal, part of the HTTP contract.
        details: reasons by field, where single fields are to blame.
        retry_after: seconds after which the same request may succeed.
    """

    default_code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, list[str]] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details
        self.retry_after = retry_after


class Unauthenticated(DomainError):
    """Nobody we know is calling."""

    default_code = "unauthenticated"


class Forbidden(DomainError):
    """The caller is known, and may not do this."""

    default_code = "forbidden"


class NotFound(DomainError):
    """What was named does not exist, or not yet."""

    default_code = "not_found"


class Invalid(DomainError):
    """The request makes no sense, whoever asks and whatever else is true."""

    default_code = "invalid_request"


class InvalidTransition(Invalid):
    """The state machine has no such step from here.

    Args:
        message: as for every refusal.
        step: of which machine, from which state and to which one, where whoever refuses knows; it is counted.
    """

    default_code = "invalid_transition"

    def __init__(self, message: str, *, code: str | None = None, step: tuple[str, str, str] | None = None) -> None:
        super().__init__(message, code=code)
        self.step = step


class Conflict(DomainError):
    """The request makes sense, and something else got there first."""

    default_code = "conflict"


class Stale(DomainError):
    """The caller decided on an older version of the resource."""

    default_code = "stale"


class KeyReused(DomainError):
    """An Idempotency-Key came back with another request."""

    default_code = "key_reused"
