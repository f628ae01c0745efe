"""Bounds of events' ids: UUIDv7 begin with the millisecond in which they were made."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

# For clocks that differ.
SPARE = timedelta(minutes=1)


def smallest_id_of(moment: datetime) -> UUID:
    """A bound below every UUIDv7 made from then on."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
