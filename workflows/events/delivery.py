"""One run to be made of one effect for one event, as its worker holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from models.events import ErrorClass
from workflows.events.event import Event


@dataclass(frozen=True, kw_only=True)
class Key:
    """What names a delivery inside the house."""

    event_id: UUID
    effect: str
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A pending delivery in a worker's hands.

    Args:
        id: its name for the outside world, the same on every attempt.
        nudges: how often the sweep had to call for it; above zero, something may have died over it.
        attempt: the number of the attempt in hand, from 1.
        fence: the number that the row holds; an outcome is written only while it still does.
        forgiven: how many attempts no longer count, since an operator asked for a retry after them.
        was_leased: whether a worker leased it and never wrote an outcome: it may have died of it.
        now: the database's clock when it was taken.
        late: for how long it had been due then.
        endpoint_id: of a webhook delivery, where it goes.
    """

    key: Key
    id: UUID
    event: Event
    nudges: int
    attempt: int
    fence: int
    forgiven: int
    was_leased: bool = False
    now: datetime
    late: timedelta = timedelta()
    endpoint_id: UUID | None = None

    @property
    def counted_attempt(self) -> int:
        """The number of the attempt by which the retry policy goes."""
        return self.attempt - self.forgiven

    @property
    def target(self) -> str:
        """For whom the run is, in the words of its effect; empty where there is but one."""
        return self.key.target


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one attempt came to, for operators and partners.

    Args:
        outcome: done, retry, cancelled or dead.
        took: how long it took.
        error_class: what kind of failure it was.
        response: the beginning of a receiver's answer.
    """

    outcome: str
    took: timedelta
    error: str | None = None
    error_class: ErrorClass | None = None
    status_code: int | None = None
    response: str | None = None
