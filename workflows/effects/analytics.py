"""The queue `analytics`: the measures of each completed session, one row in `session_metrics`; and imports."""

from datetime import datetime

from sqlalchemy import Connection

from workflows.analytics.transition_times import record_metrics
from workflows.events.event_types import ImportContinued, SessionCompleted
from workflows.events.record import defer_write
from workflows.events.subscriptions import subscribe
from workflows.imports.uploads import carry_on
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy


@subscribe(SessionCompleted, name="analytics.session_completed", queue="analytics", deferred=True)
def measure_session(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """Record the measures of a completed session, once however often this runs."""
    defer_write(db, record_metrics, event.session_id)


# Alone: it locks the mentors and mentees of its lines.
@subscribe(ImportContinued, name="imports.run", queue="analytics", uses_operator_policy=True, alone=True)
def run_import(
    db: Connection, event: ImportContinued, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
) -> None:
    """The next chunk of an import, and the event of the one after it; a dry run comes to its end at once."""
    carry_on(db, event.import_id, policy=policy, now=now)
