"""The life of a delivery: claimed by one worker at a time, and never lost by the death of any.

Every change says `state = 'pending' AND attempts = <mine>`: who comes late with an old outcome changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Uuid,
    and_,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from models.base import Timestamp
from models.events import CANCEL_REASONS, DeliveryState, deliveries, delivery_attempts
from workflows.events.catalogue import event_types
from workflows.events.delivery import Attempt, Delivery, Key
from workflows.events.event import Event

log = structlog.get_logger(__name__)

TOLD_ERROR = 2_000
TOLD_RESPONSE = 4_096

# The statements of the hot path stand as text: built anew each time, they would cost more than they take to run.
READ = (
    "d.id, d.nudges, d.attempts, d.forgiven, e.type, e.actor, e.sequence, e.data, e.occurred_at, now() AS now,"
    " now() - d.due_at AS late"
)
_KEY = "d.event_id = :event_id AND d.effect = :effect AND d.target = :target"
FREE = "d.state = 'pending' AND d.due_at <= now() AND (d.lease_until IS NULL OR d.lease_until <= now())"
TYPES: dict[str, TypeEngine[Any]] = {
    "id": Uuid(),
    "sequence": BigInteger(),
    "data": JSONB(),
    "occurred_at": Timestamp,
    "now": Timestamp,
}

_CLAIM = text(
    f"SELECT {READ} FROM deliveries d JOIN events e ON e.id = d.event_id"
    f" WHERE {_KEY} AND {FREE} FOR UPDATE OF d SKIP LOCKED"
).columns(**TYPES)
_HOLD = text(f"SELECT 1 FROM deliveries d WHERE {_KEY} AND d.state = 'pending' AND d.attempts = :fence FOR UPDATE")
_DONE = """
UPDATE deliveries SET state = 'done', done_at = now(), attempts = :attempt, lease_until = NULL, last_error = NULL
WHERE event_id = :event_id AND effect = :effect AND target = :target AND state = 'pending' AND attempts = :fence
"""
_DONE_INSIDE = text(_DONE)
_DONE_OUTSIDE = text(
    f"""
WITH ours AS ({_DONE} RETURNING event_id, effect, target)
INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, status_code, response, duration_ms)
SELECT event_id, effect, target, :attempt, 'done', :status_code, :response, :duration_ms FROM ours
"""
)


def claim(db: Connection, key: Key) -> Delivery | None:
    """Take the delivery for this transaction; None when somebody did it, does it, or it is not due."""
    row = db.execute(_CLAIM, vars(key)).one_or_none()
    return None if row is None else delivery_of(key, row, event_types())


def hold(db: Connection, leased: Delivery) -> bool:
    """Take a leased delivery for this transaction; False when the lease has been lost to somebody else."""
    # Waits for the row: a copy of the task that comes too late locks it for a moment, too, just to find it leased.
    return db.execute(_HOLD, vars(leased.key) | {"fence": leased.fence}).one_or_none() is not None


def lease(db: Connection, delivery: Delivery, duration: timedelta) -> Delivery:
    """Count the attempt before it is made, so that what kills its worker again and again ends in `dead` too."""
    until = func.now() + duration
    _write(db, delivery, lease_until=until, nudge_at=until)
    return replace(delivery, fence=delivery.attempt)


def done(db: Connection, delivery: Delivery, attempt: Attempt | None = None) -> bool:
    """Mark it done, with whatever it did in this transaction; of what left the house the attempt is kept, too."""
    values = {**vars(delivery.key), "attempt": delivery.attempt, "fence": delivery.fence}
    if attempt is None:
        return db.execute(_DONE_INSIDE, values).rowcount == 1
    values |= {"status_code": attempt.status_code, "response": cut(attempt.response, TOLD_RESPONSE)}
    return db.execute(_DONE_OUTSIDE, values | {"duration_ms": milliseconds(attempt.took)}).rowcount == 1


def again(db: Connection, delivery: Delivery, after: timedelta, attempt: Attempt) -> bool:
    """Leave it pending, due after a pause."""
    due_at = func.now() + after
    error = cut(attempt.error, TOLD_ERROR)
    return _write(db, delivery, attempt, due_at=due_at, nudge_at=due_at, lease_until=None, last_error=error)


def postpone(db: Connection, leased: Delivery, until: datetime, *, away: str | None = None) -> bool:
    """Leave it pending until then, as if it had never been taken: no attempt was made.

    Args:
        away: that whoever takes it is away, in words, which are kept; None for what is no trouble.
    """
    untouched = replace(leased, attempt=leased.attempt - 1)
    kept: dict[str, Any] = {"last_error": cut(away, TOLD_ERROR)} if away else {}
    return _write(db, untouched, due_at=until, nudge_at=until, put_off_until=until, lease_until=None, **kept)


def give_up(db: Connection, delivery: Delivery, attempt: Attempt) -> bool:
    """End it as dead or cancelled, whichever the attempt's outcome says, until an operator decides otherwise."""
    state = DeliveryState(attempt.outcome)
    cancelled = state is DeliveryState.CANCELLED and attempt.error_class in CANCEL_REASONS
    because = attempt.error_class if cancelled else None
    error = cut(attempt.error, TOLD_ERROR)
    return _write(db, delivery, attempt, state=state, lease_until=None, last_error=error, cancel_reason=because)


def delivery_of(key: Key, row: Row[Any], known: Mapping[str, type[Event]]) -> Delivery | None:
    """The delivery of a row that was claimed; None when its event is of a type that is not known here yet."""
    kind = known.get(row.type)
    if kind is None:
        # A newer process recorded it; a newer worker will run what follows from it.
        log.warning("delivery.unknown_event", effect=key.effect, event_id=key.event_id, type=row.type)
        return None
    event = kind.read(
        id=key.event_id, actor=row.actor, occurred_at=row.occurred_at, sequence=row.sequence, data=row.data
    )
    return Delivery(
        key=key,
        id=row.id,
        event=event,
        nudges=row.nudges,
        attempt=row.attempts + 1,
        fence=row.attempts,
        forgiven=row.forgiven,
        now=row.now,
        late=row.late,
    )


def _write(db: Connection, delivery: Delivery, attempt: Attempt | None = None, **values: Any) -> bool:
    """Write the row, and what the attempt came to, in one statement; False when the row is no longer ours."""
    written = (
        update(deliveries)
        .where(
            _is(delivery.key),
            deliveries.c.state == DeliveryState.PENDING,
            deliveries.c.attempts == delivery.fence,
        )
        .values(attempts=delivery.attempt, **values)
    )
    if attempt is None:
        return db.execute(written).rowcount == 1
    ours = written.returning(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).cte("ours")
    told = {
        "attempt": delivery.attempt,
        "outcome": attempt.outcome,
        "error": cut(attempt.error, TOLD_ERROR),
        "error_class": attempt.error_class,
        "status_code": attempt.status_code,
        "response": cut(attempt.response, TOLD_RESPONSE),
        "duration_ms": milliseconds(attempt.took),
    }
    values_told = [literal(value, delivery_attempts.c[name].type) for name, value in told.items()]
    noted = insert(delivery_attempts).from_select(["event_id", "effect", "target", *told], select(ours, *values_told))
    # Of an INSERT SQLAlchemy would otherwise report -1 rows.
    return db.execute(noted.execution_options(preserve_rowcount=True)).rowcount == 1


def cut(said: str | None, most: int) -> str | None:
    """The beginning of what was said, as long as it is kept; None for nothing."""
    return said[:most] if said else None


def milliseconds(took: timedelta) -> int:
    """The duration as it is kept."""
    return int(took.total_seconds() * 1000)


def _is(key: Key) -> ColumnElement[bool]:
    return and_(
        deliveries.c.event_id == key.event_id, deliveries.c.effect == key.effect, deliveries.c.target == key.target
    )
