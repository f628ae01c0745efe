"""A delivery: one run of one effect for one event and target, its retry policy, and what an attempt may come to."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zlib import crc32

from models.events import DeliveryState, ErrorClass
from workflows.events.event import Event
from workflows.kernel.operator_policy import HOUR, MINUTE, WEBHOOK_RETRY_SECONDS
from workflows.kernel.records import Record


@dataclass(frozen=True)
class RetryPolicy:
    """The pauses between attempts, in seconds; after the last one comes one more attempt, and then `dead`."""

    pauses: tuple[float, ...]  # from each failed attempt to the next
    # The share by which a pause may be longer or shorter, so that failures do not come back together.
    jitter: float = 0.2

    @property
    def attempts(self) -> int:
        return len(self.pauses) + 1

    def pause_after(self, attempt: int) -> timedelta | None:
        """How long to wait after that failed attempt, counted from 1; None when it was the last."""
        if attempt > len(self.pauses):
            return None
        # Spread over time, not kept secret.
        return timedelta(seconds=self.pauses[attempt - 1] * random.uniform(1 - self.jitter, 1 + self.jitter))


# Eight attempts over about a day.
DEFAULT_RETRY_POLICY = RetryPolicy((2, 15, 2 * MINUTE, 15 * MINUTE, HOUR, 5 * HOUR, 18 * HOUR))
# Seven attempts over some six hours: a later notification is of no use.
PUSH_RETRY_POLICY = RetryPolicy((5, 30, 2 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR))
# Unless the operator has chosen other pauses.
WEBHOOK_RETRY_POLICY = RetryPolicy(WEBHOOK_RETRY_SECONDS)


@dataclass(frozen=True, kw_only=True)
class DeliveryKey:
    """Primary key of a delivery."""

    event_id: UUID
    effect: str
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A pending delivery that a worker has claimed, with its event."""

    key: DeliveryKey
    id: UUID  # its public id, the same on every attempt
    event: Event
    nudges: int  # how often the sweep has published a wake-up for it
    attempt: int  # the number of this attempt, from 1
    fence: int  # the fencing token, `attempts` as the row holds it; an outcome is written only while it still does
    attempts_reset: int  # how many attempts no longer count, since an operator requeued the delivery after them
    was_leased: bool = False  # whether a worker leased it and never wrote an outcome: its process may have died of it
    now: datetime  # the database's clock when it was claimed
    late: timedelta = timedelta()  # for how long it had been due then
    endpoint_id: UUID | None = None  # the endpoint of a webhook delivery
    # Its turn under the endpoint's rate limit, of one that is not leased since that has not come yet.
    turn_at: datetime | None = None

    @property
    def counted_attempt(self) -> int:
        """The number of the attempt since the last reset, which the retry policy counts."""
        return self.attempt - self.attempts_reset

    @property
    def target(self) -> str:
        """The subject of the run, e.g. a user's or an endpoint's id; empty where an event has one delivery."""
        return self.key.target


class Retry(Exception):
    """Raised by an effect to be tried again after a pause. Counts as an attempt."""

    def __init__(self, after: timedelta, reason: str) -> None:
        super().__init__(reason)
        self.after = after


class Postpone(Exception):
    """Raised to try again at a later time, for a reason outside this delivery. Does not count as an attempt.

    Args:
        until: by the database's clock; or for how long, by a process that knows no time but its own.
        shown: whether operators are shown the reason, as the delivery's last error.
    """

    def __init__(self, until: datetime | timedelta, reason: str, *, shown: bool = False) -> None:
        super().__init__(reason)
        self.until = until
        self.shown = shown


class Cancel(Exception):
    """Raised by an effect that is no longer to run. The reason is kept."""

    def __init__(self, reason: str, error_class: ErrorClass | None = None) -> None:
        super().__init__(reason)
        self.error_class = error_class


@dataclass(frozen=True, kw_only=True)
class SendResult:
    """A transport's report of one attempt to send a message."""

    error: str | None = None  # None when the receiver accepted it; otherwise what went wrong, as a sentence
    error_class: ErrorClass | None = None  # what kind of failure that was
    permanent: bool = False  # whether another attempt is pointless, whatever the policy
    retry_after: timedelta | None = None  # the pause that the receiver asked for; it can only lengthen the policy's
    status_code: int | None = None  # of the response, where there was one
    response: str | None = None  # the beginning of the receiver's response
    unavailable: bool = False  # whether the destination is down for every message, not only for this one
    content: object = None  # what was read, for the effect's `settle`


@dataclass(frozen=True, kw_only=True)
class Attempt(SendResult):
    """One attempt as `delivery_attempts` keeps it; of a database effect, with no more than its error."""

    outcome: str  # done, retry, cancelled or dead
    took: timedelta  # how long it took


@dataclass(frozen=True, kw_only=True)
class DeliveryStatus(Record):
    """How far a delivery has come, and what its event was about, as people are shown it."""

    id: UUID
    effect: str
    target: str
    queue: str
    state: DeliveryState
    attempts: int
    due_at: datetime
    done_at: datetime | None
    last_error: str | None
    created_at: datetime
    event_id: UUID
    event_type: str
    subject_type: str
    subject_id: UUID

    @property
    def next_attempt_at(self) -> datetime | None:
        """When it is tried next; None when it is not."""
        return self.due_at if self.state is DeliveryState.PENDING else None

    @property
    def version(self) -> int:
        """A hash of everything shown, for ETags: deliveries have no version column."""
        return crc32(repr((self.id, self.state, self.attempts, self.next_attempt_at, self.last_error)).encode())
