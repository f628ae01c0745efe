"""Take a delivery up again by hand: due now, and with all its attempts once more if they were used up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func

from models.events import DeliveryState, deliveries

DUE_NOW: dict[str, Any] = {"due_at": func.now(), "nudge_at": func.now(), "nudges": 0}
# The attempts stay counted, since each has its record, and the retry policy goes by those that follow.
REVIVED: dict[str, Any] = {
    **DUE_NOW,
    "state": DeliveryState.PENDING,
    "forgiven": deliveries.c.attempts,
    "lease_until": None,
}

# The same for many, one after the other, so that what comes back does not come all at once.
DUE_IN_ITS_PLACE = "now() + again.place * interval '1 second' / :per_second"
REVIVE_IN_ITS_PLACE = (
    f"UPDATE deliveries d SET state = 'pending', forgiven = d.attempts, due_at = {DUE_IN_ITS_PLACE},"
    f" nudge_at = {DUE_IN_ITS_PLACE}, nudges = 0, lease_until = NULL"
)
