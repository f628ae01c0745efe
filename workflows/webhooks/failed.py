"""What failed on its way to an endpoint: found, and sent again at a pace, by a few statements however much it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, text

from models.events import DELIVERY_ID, DeliveryState
from workflows.events.catalogue import CLOCK_SKEW, smallest_event_id
from workflows.events.record import Nudge, enqueue_wakeups
from workflows.events.revive import DUE_IN_ITS_PLACE, REVIVE_IN_ITS_PLACE
from workflows.outside.send_webhook import SEND_WEBHOOK
from workflows.webhooks.endpoint import Endpoint
from workflows.webhooks.fan_out import target_of

# The bounds of the ids alone keep the index scan short.
# What was cancelled counts once, however many runs of it there were, and not at all once it arrived or is on its way.
_FAILED = text(
    """
SELECT d.event_id, d.effect, d.target, d.queue, d.state, e.subject_type, e.subject_id, (
    SELECT 1 + max(run.resend) FROM deliveries run
    WHERE run.event_id = d.event_id AND run.effect = 'webhooks.send' AND run.endpoint_id = d.endpoint_id
) AS next_resend
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE d.effect = 'webhooks.send' AND d.endpoint_id = :endpoint_id
  AND (d.state = 'dead' OR d.cancel_reason = 'not_listening')
  AND d.event_id BETWEEN :first AND :last AND e.occurred_at >= :since AND e.occurred_at < :until
  AND e.type NOT IN ('webhook.ping', 'webhook.example')
  AND CAST(:event_types AS text[]) && ARRAY[e.type, split_part(e.type, '.', 1) || '.*', '*']
  AND (d.state = 'dead' OR NOT EXISTS (
      SELECT FROM deliveries other
      WHERE other.event_id = d.event_id AND other.effect = 'webhooks.send'
        AND other.endpoint_id = d.endpoint_id AND (other.state <> 'cancelled' OR other.resend > d.resend)))
ORDER BY d.event_id, d.resend
LIMIT :most
FOR NO KEY UPDATE OF d SKIP LOCKED
"""
).columns(event_id=Uuid(), subject_id=Uuid())

_REVIVE = text(
    f"""
{REVIVE_IN_ITS_PLACE}
FROM unnest(CAST(:event_ids AS uuid[]), CAST(:targets AS text[]), CAST(:places AS int[]))
    AS again(event_id, target, place)
WHERE d.event_id = again.event_id AND d.effect = 'webhooks.send' AND d.target = again.target AND d.state = 'dead'
"""
)

# Of two that recover the same at once, the later one finds the key taken.
_ADD = text(
    f"""
INSERT INTO deliveries (event_id, effect, target, endpoint_id, resend, id, queue, due_at, nudge_at)
SELECT again.event_id, again.effect, again.target, :endpoint_id, again.resend, {DELIVERY_ID.format(of="again")}, :queue,
       {DUE_IN_ITS_PLACE}, {DUE_IN_ITS_PLACE}
FROM (
    SELECT 'webhooks.send' AS effect, told.* FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:targets AS text[]), CAST(:resends AS int[]), CAST(:places AS int[])
    ) AS told(event_id, target, resend, place)
) AS again
ON CONFLICT DO NOTHING
"""
)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A run that failed, and its place among those that are sent again.

    Args:
        nudge: the one for the run itself.
        next_resend: the number of the run that would follow upon those of this event to this endpoint.
    """

    place: int
    nudge: Nudge
    state: DeliveryState
    next_resend: int
    endpoint_id: UUID

    @property
    def next_nudge(self) -> Nudge:
        """The nudge for what is sent again: a dead run is taken up itself, a cancelled one is followed by another."""
        if self.state is DeliveryState.DEAD:
            return self.nudge
        return replace(self.nudge, target=target_of(self.endpoint_id, self.next_resend))


def find_failed(db: Connection, endpoint: Endpoint, *, since: datetime, until: datetime, most: int) -> list[Failed]:
    """What died, and what was not sent since the endpoint was not active; the oldest first, of types it asks for.

    The rows are locked until the end of the transaction; those that somebody else is just sending again are left out.
    """
    asked = {
        "endpoint_id": endpoint.id,
        "event_types": endpoint.event_types,
        "since": since,
        "until": until,
        "first": smallest_event_id(since - CLOCK_SKEW),
        "last": smallest_event_id(until + CLOCK_SKEW),
        "most": most,
    }
    return [
        Failed(
            place=place,
            nudge=Nudge.of(row),
            state=DeliveryState(row.state),
            next_resend=row.next_resend,
            endpoint_id=endpoint.id,
        )
        for place, row in enumerate(db.execute(_FAILED, asked))
    ]


def send_again(db: Connection, failed: Sequence[Failed], *, per_second: int) -> int:
    """Make them due one after the other, and return how many are on their way."""
    dead = [each for each in failed if each.state is DeliveryState.DEAD]
    cancelled = [each for each in failed if each.state is not DeliveryState.DEAD]
    count = _revive(db, dead, per_second) + _add(db, cancelled, per_second)
    enqueue_wakeups(db, [each.next_nudge for each in failed[:1]])
    return count


def _revive(db: Connection, dead: Sequence[Failed], per_second: int) -> int:
    return db.execute(_REVIVE, _arrays(dead) | {"per_second": per_second}).rowcount if dead else 0


def _add(db: Connection, cancelled: Sequence[Failed], per_second: int) -> int:
    if not cancelled:
        return 0
    more = {
        "endpoint_id": cancelled[0].endpoint_id,
        "resends": [each.next_resend for each in cancelled],
        "queue": SEND_WEBHOOK.queue,
        "per_second": per_second,
    }
    return db.execute(_ADD, _arrays(cancelled) | more).rowcount


def _arrays(failed: Sequence[Failed]) -> dict[str, Any]:
    return {
        "event_ids": [each.nudge.event_id for each in failed],
        "targets": [each.next_nudge.target for each in failed],
        "places": [each.place for each in failed],
    }
