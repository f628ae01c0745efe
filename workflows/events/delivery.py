"""One run to be made of one effect for one event, as its worker holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from workflows.events.catalogue import Event


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
        now: the database's clock when it was taken.
    """

    key: Key
    id: UUID
    event: Event
    nudges: int
    attempt: int
    fence: int
    now: datetime

    @property
    def target(self) -> str:
        """For whom the run is, in the words of its effect; empty where there is but one."""
        return self.key.target
