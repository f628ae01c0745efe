"""What came of a delivery, written to its row; and the line that says so, for whoever commits it to log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from models.events import CANCEL_REASONS, ErrorClass
from workers.counting import count_attempt
from workflows.events import store
from workflows.events.delivery import Attempt, Cancel, Delivery, DeliveryKey, Postpone, Retry, SendResult
from workflows.events.subscriptions import AnyOutboundEffect, Effect, OutboundEffect

log = structlog.get_logger("workers.deliver")

AnyEffect = Effect | AnyOutboundEffect


@dataclass(frozen=True)
class Said:
    """A line to be logged, and counted, once it is true.

    Args:
        ours: whether the row was still ours to write; who comes late has changed nothing.
        took: how long the attempt took.
        late: for how long the delivery had been due before.
    """

    name: str
    key: DeliveryKey
    fields: dict[str, Any]
    level: int = logging.INFO
    ours: bool = True
    took: timedelta = timedelta()
    late: timedelta = timedelta()

    def log(self, **more: Any) -> None:
        """Write the line."""
        count_attempt(self.key.effect, self.name.removeprefix("delivery."), self.took, self.late)
        log.log(self.level, self.name, **self.fields, **more)


def succeeded(db: Connection, delivery: Delivery, took: timedelta, sent: SendResult | None = None) -> Said:
    """Mark the delivery done; of one that left the house the receiver's answer is kept, too."""
    ours = store.done(db, delivery, attempt_of(sent, took) if sent else None)
    return written(delivery, took, ours=ours)


def written(delivery: Delivery, took: timedelta, *, ours: bool = True) -> Said:
    """The line of a success that was marked as done."""
    return _said("delivery.done", delivery, took, ours=ours, duration_ms=round(took.total_seconds() * 1000))


def attempt_of(sent: SendResult, took: timedelta) -> Attempt:
    """What is kept of an attempt whose message was taken."""
    return _attempt("done", took, None, sent)


def failed(db: Connection, effect: AnyEffect, delivery: Delivery, error: Exception, took: timedelta) -> Said:
    """Write what an exception means: postponed, cancelled, to be tried again, or dead."""
    match error:
        case Postpone():
            ours = store.postpone(db, delivery, error.until, away=str(error) if error.unavailable else None)
            return _said("delivery.postponed", delivery, took, ours=ours, until=error.until, reason=str(error))
        case Cancel():
            sent = SendResult(error_class=error.error_class)
            return _end(db, delivery, "cancelled", str(error), took, sent)
        case Retry() if delivery.counted_attempt < effect.policy.attempts:
            return _again(db, delivery, error.after, str(error), took)
        case Retry():
            return _end(db, delivery, "dead", str(error), took)
        case _:
            said = refused(
                db, effect, delivery, SendResult(error=_in_words(error), error_class=ErrorClass.INTERNAL), took
            )
            return replace(said, fields=said.fields | {"exc_info": error}, level=logging.ERROR)


def refused(db: Connection, effect: AnyEffect, delivery: Delivery, sent: SendResult, took: timedelta) -> Said:
    """Back off by the effect's policy, or end the delivery when it has no attempt left."""
    pause = effect.policy.pause_after(delivery.counted_attempt)
    error = sent.error or ""
    if sent.error_class in CANCEL_REASONS:
        # Whom it was for is gone: that is nothing to be mended.
        return _end(db, delivery, "cancelled", error, took, sent)
    if pause is None or sent.permanent:
        cancel_on_exhaustion = isinstance(effect, OutboundEffect) and effect.cancel_on_exhaustion(sent)
        return _end(db, delivery, "cancelled" if cancel_on_exhaustion else "dead", error, took, sent)
    # The receiver's wish only ever delays.
    return _again(db, delivery, max(pause, sent.retry_after or pause), error, took, sent)


def buried(db: Connection, delivery: Delivery) -> Said:
    """End a delivery whose worker died during every attempt."""
    ours = SendResult(error_class=ErrorClass.INTERNAL)
    return _end(db, delivery, "dead", "Its worker died during every attempt.", timedelta(), ours)


def _again(
    db: Connection, delivery: Delivery, after: timedelta, error: str, took: timedelta, sent: SendResult | None = None
) -> Said:
    ours = store.again(db, delivery, after, _attempt("retry", took, error, sent))
    seconds = round(after.total_seconds())
    return _said("delivery.retry", delivery, took, logging.WARNING, ours=ours, error=error, after_seconds=seconds)


def _end(
    db: Connection, delivery: Delivery, outcome: str, error: str, took: timedelta, sent: SendResult | None = None
) -> Said:
    ours = store.give_up(db, delivery, _attempt(outcome, took, error, sent))
    level = logging.ERROR if outcome == "dead" else logging.INFO
    return _said(f"delivery.{outcome}", delivery, took, level, ours=ours, error=error)


def _attempt(outcome: str, took: timedelta, error: str | None, sent: SendResult | None) -> Attempt:
    told = sent or SendResult()
    return Attempt(
        outcome=outcome,
        took=took,
        error=error,
        error_class=told.error_class,
        status_code=told.status_code,
        response=told.response,
    )


def _in_words(error: Exception) -> str:
    """The error for the row: of the database's only what it says first, since its details show whole rows."""
    diagnostics = getattr(error.orig, "diag", None) if isinstance(error, DBAPIError) else None
    return f"{type(error).__name__}: {getattr(diagnostics, 'message_primary', None) or error}"


def _said(
    name: str, delivery: Delivery, took: timedelta, level: int = logging.INFO, *, ours: bool, **fields: Any
) -> Said:
    if not ours:
        told = about(delivery) | {"outcome": name}
        return Said("delivery.settled_late", delivery.key, told, logging.WARNING, ours=False, took=took)
    return Said(name, delivery.key, about(delivery) | fields, level, took=took, late=delivery.late)


def about(delivery: Delivery) -> dict[str, Any]:
    """What every line about a delivery tells."""
    event = delivery.event
    return {
        "delivery_id": delivery.id,
        "effect": delivery.key.effect,
        "event_id": event.id,
        "attempt": delivery.attempt,
        "actor": event.actor,
        f"{event.subject}_id": event.subject_id,
    }
