"""Retry what is dead, all of it or that of one effect: at a pace, and by one statement however much it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Uuid, text
from uuid_utils.compat import uuid7

from workflows.audit import write_audit_entry
from workflows.errors import Invalid
from workflows.events.record import Nudge, enqueue_wakeups
from workflows.events.revive import REVIVE_IN_ITS_PLACE
from workflows.events.subscriptions import load
from workflows.identity.actor import Actor
from workflows.operations.delivery import for_operators

MOST = 10_000
PER_SECOND = 25  # of each effect, as an endpoint recovers

# Whatever somebody else is just retrying is left out; the first of each effect is due now, and nudged.
_RETRY = """
WITH dead AS (
    SELECT d.event_id, d.effect, d.target, d.queue, e.subject_type, e.subject_id
    FROM deliveries d JOIN events e ON e.id = d.event_id
    WHERE d.state = 'dead' {narrowed}
    ORDER BY d.event_id, d.effect, d.target
    LIMIT :most
    FOR NO KEY UPDATE OF d SKIP LOCKED
), again AS (
    SELECT dead.*, row_number() OVER (PARTITION BY effect ORDER BY event_id, target) - 1 AS place FROM dead
), revived AS (
    {revive} FROM again
    WHERE d.event_id = again.event_id AND d.effect = again.effect AND d.target = again.target
    RETURNING again.*
)
SELECT revived.*, (SELECT count(*) FROM revived) AS retried FROM revived WHERE place = 0
"""


@dataclass(frozen=True, kw_only=True)
class Retried:
    """How many are on their way again, and under which id the audit has it."""

    id: UUID
    retried: int


def retry_deliveries(
    db: Connection, *, actor: Actor, now: datetime, effect: str | None = None, since: datetime | None = None
) -> Retried:
    """Give dead deliveries all their attempts again, the oldest events first, at most 10,000 and 25 a second.

    Args:
        effect: those of this effect alone.
        since: those of events that occurred from then on.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: there is no such effect, so that nothing would ever run it.
    """
    for_operators(actor)
    if effect is not None and load().named(effect) is None:
        raise Invalid("There is no such effect.", details={"effect": [f"unknown effect {effect}"]})
    asked = {"effect": effect, "since": since}
    conditions = {"effect": "AND d.effect = :effect", "since": "AND e.occurred_at >= :since"}
    wanted = {name: value for name, value in asked.items() if value is not None}
    narrowed = " ".join(conditions[name] for name in wanted)
    statement = text(_RETRY.format(narrowed=narrowed, revive=REVIVE_IN_ITS_PLACE))
    rows = db.execute(
        statement.columns(event_id=Uuid(), subject_id=Uuid()), {"most": MOST, "per_second": PER_SECOND, **wanted}
    ).all()
    enqueue_wakeups(db, [Nudge.of(row) for row in rows])
    done = Retried(id=uuid7(), retried=rows[0].retried if rows else 0)
    write_audit_entry(
        db,
        actor=actor,
        action="deliveries.retried",
        subject=("retry", done.id),
        data={"effect": effect, "since": since.isoformat() if since else None, "retried": done.retried},
        now=now,
    )
    return done
