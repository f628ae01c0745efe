"""The life of a delivery: claimed by one worker at a time, and never lost by the death of any.

Every change says `state = 'pending' AND attempts = <mine>`: who comes late with an old outcome changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from models.events import DeliveryState, deliveries, delivery_attempts, events
from workflows.events.catalogue import event_types
from workflows.events.delivery import Delivery, Key

log = structlog.get_logger(__name__)

TOLD_ERROR = 2_000
TOLD_RESPONSE = 4_096


def claim(db: Connection, key: Key) -> Delivery | None:
    """Take the delivery for this transaction; None when somebody did it, does it, or it is not due."""
    free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= func.now())
    return _take(db, key, and_(deliveries.c.due_at <= func.now(), free), skip_locked=True)


def hold(db: Connection, leased: Delivery) -> bool:
    """Take a leased delivery for this transaction; False when the lease has been lost to somebody else."""
    # Waits for the row: a copy of the task that comes too late locks it for a moment, too, just to find it leased.
    return _take(db, leased.key, deliveries.c.attempts == leased.fence, skip_locked=False) is not None


def lease(db: Connection, delivery: Delivery, duration: timedelta) -> Delivery:
    """Count the attempt before it is made, so that what kills its worker again and again ends in `dead` too."""
    until = func.now() + duration
    _write(db, delivery, lease_until=until, nudge_at=until)
    return replace(delivery, fence=delivery.attempt)


def done(db: Connection, delivery: Delivery) -> bool:
    """Mark it done, with whatever it did in this transaction."""
    return _write(
        db,
        delivery,
        state=DeliveryState.DONE,
        done_at=func.now(),
        lease_until=None,
        last_error=None,
    )


def again(db: Connection, delivery: Delivery, after: timedelta, error: str) -> bool:
    """Leave it pending, due after a pause."""
    due_at = func.now() + after
    return _write(
        db,
        delivery,
        due_at=due_at,
        nudge_at=due_at,
        lease_until=None,
        last_error=error[:TOLD_ERROR],
    )


def give_up(db: Connection, delivery: Delivery, state: DeliveryState, error: str) -> bool:
    """End it as dead or cancelled, with the reason, until an operator decides otherwise."""
    return _write(
        db,
        delivery,
        state=state,
        lease_until=None,
        last_error=error[:TOLD_ERROR],
    )


def note_attempt(
    db: Connection,
    delivery: Delivery,
    *,
    outcome: str,
    duration: timedelta,
    error: str | None = None,
    status_code: int | None = None,
    response: str | None = None,
) -> None:
    """Keep what one attempt came to, for operators and partners.

    Args:
        outcome: done, retry, cancelled, failed or dead.
        response: the beginning of a receiver's answer.
    """
    db.execute(
        insert(delivery_attempts).values(
            event_id=delivery.key.event_id,
            effect=delivery.key.effect,
            target=delivery.key.target,
            attempt=delivery.attempt,
            outcome=outcome,
            error=error[:TOLD_ERROR] if error else None,
            status_code=status_code,
            response=response[:TOLD_RESPONSE] if response else None,
            duration_ms=int(duration.total_seconds() * 1000),
        )
    )


def _take(db: Connection, key: Key, condition: ColumnElement[bool], *, skip_locked: bool) -> Delivery | None:
    row = db.execute(
        select(
            deliveries.c.id,
            deliveries.c.nudges,
            deliveries.c.attempts,
            events.c.type,
            events.c.actor,
            events.c.sequence,
            events.c.data,
            events.c.occurred_at,
            func.now().label("now"),
        )
        .join_from(deliveries, events, events.c.id == deliveries.c.event_id)
        .where(_is(key), deliveries.c.state == DeliveryState.PENDING, condition)
        .with_for_update(of=deliveries, skip_locked=skip_locked)
    ).one_or_none()
    if row is None:
        return None
    kind = event_types().get(row.type)
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
        now=row.now,
    )


def _write(db: Connection, delivery: Delivery, **values: Any) -> bool:
    written = db.execute(
        update(deliveries)
        .where(
            _is(delivery.key),
            deliveries.c.state == DeliveryState.PENDING,
            deliveries.c.attempts == delivery.fence,
        )
        .values(attempts=delivery.attempt, **values)
    )
    return written.rowcount == 1


def _is(key: Key) -> ColumnElement[bool]:
    return and_(
        deliveries.c.event_id == key.event_id, deliveries.c.effect == key.effect, deliveries.c.target == key.target
    )
