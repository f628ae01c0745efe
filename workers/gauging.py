"""What maintain finds in the database, for the figures: what is owed, what was given up, and what should not be."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from config import telemetry
from workflows.events.store import backlogs, dead_by_effect
from workflows.events.subscriptions import QUEUES, load
from workflows.invariants import Finding


def gauge_deliveries(db: Connection) -> None:
    """Tell how much each queue owes, and how many deliveries of each effect were given up."""
    for backlog in backlogs(db, QUEUES):
        telemetry.DELIVERIES_DUE.labels(backlog.queue).set(backlog.due)
        telemetry.OLDEST_DUE_AGE.labels(backlog.queue).set(backlog.oldest.total_seconds())
    effects = load().all()
    dead = dead_by_effect(db, [effect.name for effect in effects])
    # Also those of which there are none: what an operator has retried is not dead any more.
    for effect in effects:
        telemetry.DELIVERIES_DEAD.labels(effect.queue, effect.name).set(dead.get(effect.name, 0))


def gauge_invariants(findings: Iterable[Finding]) -> None:
    """Tell how often each invariant is violated."""
    for finding in findings:
        telemetry.INVARIANT_VIOLATIONS.labels(finding.name).set(finding.violations)
