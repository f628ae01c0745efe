"""Count sessions per mentor and day, exactly once each: in the transaction that marks the delivery done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from models.engagement import daily_session_stats

Counter = Literal["created", "started", "completed"]


def count(db: Connection, counter: Counter, *, mentor_profile_id: UUID, at: datetime, minutes: int = 0) -> None:
    """Add one to a counter of the day, in UTC, on which something happened.

    Args:
        at: when it happened, not when it is counted.
        minutes: the length of a session that was completed.
    """
    stats = daily_session_stats.c
    added = {counter: 1, "minutes": minutes}
    db.execute(
        insert(daily_session_stats)
        .values(day=at.astimezone(UTC).date(), mentor_profile_id=mentor_profile_id, **added)
        .on_conflict_do_update(
            index_elements=[stats.day, stats.mentor_profile_id],
            set_={name: stats[name] + amount for name, amount in added.items()},
        )
    )
