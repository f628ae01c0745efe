"""How an effect says that it did not simply succeed. Any exception that is none of these backs off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.events import ErrorClass


class Retry(Exception):
    """Not now: try again after a while. Counts as an attempt."""

    def __init__(self, after: timedelta, reason: str) -> None:
        super().__init__(reason)
        self.after = after


class Postpone(Exception):
    """Not before then, for a reason that has nothing to do with this delivery. Does not count as an attempt.

    Args:
        away: the receiver of all such deliveries is away, which an operator wants to see; the reason is kept.
    """

    def __init__(self, until: datetime, reason: str, *, away: bool = False) -> None:
        super().__init__(reason)
        self.until = until
        self.away = away


class Cancel(Exception):
    """Never: what was to be done has lost its point. The reason is kept, in words and as what it is."""

    def __init__(self, reason: str, because: ErrorClass | None = None) -> None:
        super().__init__(reason)
        self.because = because


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a transport reports of one attempt to reach the outside world.

    Args:
        error: None when the receiver took it; otherwise what went wrong, in words.
        error_class: what kind of failure that was.
        permanent: trying again would be pointless, whatever the policy says.
        retry_after: the receiver's wish; it only ever delays.
        status_code: the receiver's answer by number, where there was one.
        response: the beginning of the receiver's answer.
        away: the receiver takes nothing from anybody for now; it was no matter of this message.
    """

    error: str | None = None
    error_class: ErrorClass | None = None
    permanent: bool = False
    retry_after: timedelta | None = None
    status_code: int | None = None
    response: str | None = None
    away: bool = False
