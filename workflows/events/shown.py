"""A delivery as people are shown it: those of a session, the owner of a webhook, or an operator of any effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zlib import crc32

from models.events import DeliveryState, deliveries
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class Standing(Record):
    """How far one run of one effect has come."""

    table = deliveries

    target: str
    state: DeliveryState
    attempts: int
    due_at: datetime
    done_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, kw_only=True)
class ShownDelivery(Standing):
    """One run of one effect for one event."""

    id: UUID
    event_id: UUID
    created_at: datetime
    event_type: str

    @property
    def next_attempt_at(self) -> datetime | None:
        """When it is tried next; None when it is not."""
        return self.due_at if self.state is DeliveryState.PENDING else None

    @property
    def version(self) -> int:
        """A number that changes with whatever can be seen of it: deliveries count no versions of their own."""
        return crc32(repr((self.id, self.state, self.attempts, self.next_attempt_at, self.last_error)).encode())
