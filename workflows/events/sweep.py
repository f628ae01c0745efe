"""What the nudges missed: deliveries that are due and not done, found again by their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from workflows.events.record import Nudge

PAGE = 500

# After the last of so many nudges: 2, 4, 8, 16 and from then on 30 seconds. The exponent is bounded, since a row may be
# nudged for days.
_PAUSE = "least(30, power(2, least(d.nudges, 5))) * interval '1 second'"

# Ordered by the key, so that a page of rows that stay (locked, or just published) cannot hide the ones behind it.
# While the queue's list is empty nothing published can still be waiting in it, so that the growing pause between
# nudges is not waited for: two seconds after it was due, a delivery is called for again.
_OVERDUE = """
SELECT d.event_id, d.effect, d.target, d.queue, e.subject_type, e.subject_id
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE d.state = 'pending' AND d.queue = :queue AND {waiting}
  AND (d.lease_until IS NULL OR d.lease_until <= now())
  AND (d.event_id, d.effect, d.target) > (CAST(:event_id AS uuid), :effect, :target)
ORDER BY d.event_id, d.effect, d.target
LIMIT :page
FOR UPDATE OF d SKIP LOCKED
"""
_PATIENT = text(_OVERDUE.format(waiting="d.nudge_at <= now()"))
_EMPTY_LIST = text(
    _OVERDUE.format(
        waiting="(d.nudge_at <= now() OR (d.nudge_at <= now() + interval '30 seconds'"
        " AND d.nudges > 0 AND d.due_at + interval '2 seconds' <= now()"
        # Another sweep may have filled the list since its length was read.
        f" AND d.nudge_at - {_PAUSE} <= now() - interval '0.5 seconds'))"
    )
)

_NUDGED = text(
    f"""
UPDATE deliveries d
SET nudges = d.nudges + 1, nudge_at = now() + {_PAUSE.replace("d.nudges", "(d.nudges + 1)")}
FROM unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]))
    AS n(event_id, effect, target)
WHERE (d.event_id, d.effect, d.target) = (n.event_id, n.effect, n.target) AND d.state = 'pending'
"""
)

_MISSED = text(
    """
UPDATE deliveries d
SET nudges = d.nudges - 1, nudge_at = now()
FROM unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]))
    AS n(event_id, effect, target)
WHERE (d.event_id, d.effect, d.target) = (n.event_id, n.effect, n.target) AND d.state = 'pending' AND d.nudges > 0
"""
)


@dataclass(frozen=True)
class Cursor:
    """The key of the last row of a page."""

    event_id: str = "00000000-0000-0000-0000-000000000000"
    effect: str = ""
    target: str = ""


def overdue(db: Connection, queue: str, *, list_is_empty: bool, after: Cursor) -> list[Nudge]:
    """A page of a queue's deliveries that are to be called for again, locked until the end of the transaction.

    Args:
        list_is_empty: whether the queue's list in Redis holds nothing, so that what was published before is gone.
        after: where the page before ended.
    """
    rows = db.execute(
        _EMPTY_LIST if list_is_empty else _PATIENT,
        {
            "queue": queue,
            "page": PAGE,
            "event_id": after.event_id,
            "effect": after.effect,
            "target": after.target,
        },
    ).all()
    return [Nudge.of(row) for row in rows]


def nudged(db: Connection, nudges: Sequence[Nudge]) -> None:
    """Note that these are called for, in the transaction that found them: the next call for them waits longer."""
    db.execute(_NUDGED, _keys(nudges))


def missed(db: Connection, nudges: Sequence[Nudge]) -> None:
    """Note that these could not be published after all: they are to be called for at once."""
    db.execute(_MISSED, _keys(nudges))


def _keys(nudges: Sequence[Nudge]) -> dict[str, list[Any]]:
    return {
        "event_ids": [nudge.event_id for nudge in nudges],
        "effects": [nudge.effect for nudge in nudges],
        "targets": [nudge.target for nudge in nudges],
    }
