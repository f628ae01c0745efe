"""Settling a delivery: the outcome is written to its row, and logged and counted after the commit."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from config import telemetry
from models.events import CANCEL_REASONS, ErrorClass
from workflows.events import settle
from workflows.events.delivery import Attempt, Cancel, Delivery, Postpone, Retry, SendResult
from workflows.events.subscriptions import AnyOutboundEffect, Effect, OutboundEffect

log = structlog.get_logger("workers.deliver")

AnyEffect = Effect | AnyOutboundEffect
NOTHING_SENT = SendResult()
# Finding a label by its values takes a lock and half the time of counting.
_duration_of = cache(telemetry.DELIVERY_DURATION.labels)
_delay_of = cache(telemetry.DELIVERY_DELAY.labels)


@dataclass(frozen=True)
class OutcomeLog:
    """The log line and the metrics of a settled delivery, to be written after the commit."""

    delivery: Delivery
    # Done, retry, postponed, cancelled, dead; or settled_late, where another worker had leased the row meanwhile, and
    # nothing was written.
    outcome: str
    took: timedelta  # the duration of the attempt
    fields: dict[str, Any]
    level: int = logging.INFO

    @property
    def ours(self) -> bool:
        return self.outcome != "settled_late"

    def log(self, **more: Any) -> None:
        """Write the line and count the attempt."""
        effect, seconds = self.delivery.key.effect, self.took.total_seconds()
        _duration_of(effect, self.outcome).observe(seconds)
        if self.outcome == "done":
            _delay_of(effect).observe(self.delivery.late.total_seconds() + seconds)
        log.log(self.level, f"delivery.{self.outcome}", **(log_fields(self.delivery) | self.fields | more))


def settle_success(db: Connection, delivery: Delivery, took: timedelta, sent: SendResult) -> OutcomeLog:
    """Mark an outbound delivery done, and keep the receiver's response."""
    return success_log(delivery, took, sent, ours=settle.settle(db, delivery, attempt_of(sent, took)))


def success_log(
    delivery: Delivery, took: timedelta, sent: SendResult = NOTHING_SENT, *, ours: bool = True
) -> OutcomeLog:
    duration_ms = round(took.total_seconds() * 1000)
    return _line(delivery, "done", took, ours=ours, duration_ms=duration_ms, **_result_fields(sent))


def settle_error(
    db: Connection, effect: AnyEffect, delivery: Delivery, error: Exception, took: timedelta
) -> OutcomeLog:
    """Postpone, cancel or retry a delivery as the exception asks; any other exception backs off as a defect."""
    match error:
        case Postpone():
            # The owner of an endpoint reads there why a message waits.
            kept = str(error) if error.shown or delivery.endpoint_id is not None else None
            until = settle.postpone(db, delivery, error.until, reason=kept)
            # A calendar is read repeatedly: a postponement is not logged.
            is_repeated = isinstance(effect, OutboundEffect) and effect.repeat_at is not None
            level = logging.DEBUG if is_repeated else logging.INFO
            return postponed_log(delivery, until, str(error), took, ours=until is not None, level=level)
        case Cancel():
            return _end(db, delivery, "cancelled", SendResult(error=str(error), error_class=error.error_class), took)
        case Retry() if delivery.counted_attempt < effect.policy.attempts:
            return _retry(db, delivery, error.after, SendResult(error=str(error)), took)
        case Retry():
            return _end(db, delivery, "dead", SendResult(error=str(error)), took)
    result = SendResult(error=_sentence(error), error_class=ErrorClass.INTERNAL)
    line = settle_refusal(db, effect, delivery, result, took)
    return replace(line, fields=line.fields | {"exc_info": error}, level=logging.ERROR)


def postponed_log(
    delivery: Delivery,
    until: datetime | None,
    reason: str,
    took: timedelta = timedelta(),
    *,
    ours: bool = True,
    level: int = logging.INFO,
) -> OutcomeLog:
    # Only attempts that count; this one does not.
    at = until and until.isoformat(timespec="milliseconds")
    attempt = delivery.attempt - 1
    return _line(delivery, "postponed", took, ours=ours, level=level, attempt=attempt, until=at, reason=reason)


def settle_repeated(
    db: Connection, delivery: Delivery, result: SendResult, again_at: datetime, took: timedelta
) -> OutcomeLog:
    """Leave a repeating delivery pending."""
    # After a success, its policy counts our failures from 0 again.
    ours = settle.postpone(db, delivery, again_at, forgives=result.error is None) is not None
    fields: dict[str, Any] = {"until": again_at.isoformat(timespec="milliseconds"), **_result_fields(result)}
    if result.error is None:
        return _line(delivery, "done", took, ours=ours, **fields)
    return _line(delivery, "postponed", took, ours=ours, level=logging.WARNING, reason=result.error, **fields)


def settle_refusal(
    db: Connection, effect: AnyEffect, delivery: Delivery, result: SendResult, took: timedelta
) -> OutcomeLog:
    """Back off by the effect's policy, or end the delivery when it has no attempt left."""
    pause = effect.policy.pause_after(delivery.counted_attempt)
    if result.error_class in CANCEL_REASONS:
        return _end(db, delivery, "cancelled", result, took)
    if pause is None or result.permanent:
        cancelled = isinstance(effect, OutboundEffect) and effect.cancel_on_exhaustion(result)
        return _end(db, delivery, "cancelled" if cancelled else "dead", result, took)
    return _retry(db, delivery, max(pause, result.retry_after or pause), result, took)


def settle_exhausted(db: Connection, delivery: Delivery) -> OutcomeLog:
    """End a delivery whose worker died during every attempt."""
    result = SendResult(error="Its worker died during every attempt.", error_class=ErrorClass.INTERNAL)
    return _end(db, delivery, "dead", result, timedelta())


def attempt_of(result: SendResult, took: timedelta, outcome: str = "done") -> Attempt:
    return Attempt(outcome=outcome, took=took, **vars(result))


def log_fields(delivery: Delivery) -> dict[str, Any]:
    """The fields of every log line about a delivery."""
    event = delivery.event
    named = {
        "delivery_id": delivery.id,
        "effect": delivery.key.effect,
        "event_id": event.id,
        "event_type": event.type,
        "attempt": delivery.attempt,
        "actor": event.actor,
        f"{event.subject}_id": event.subject_id,
    }
    return named if delivery.endpoint_id is None else named | {"endpoint_id": delivery.endpoint_id}


def _result_fields(result: SendResult) -> dict[str, Any]:
    fields = {"status_code": result.status_code, "error_class": result.error_class}
    return {name: value for name, value in fields.items() if value is not None}


def _retry(db: Connection, delivery: Delivery, after: timedelta, result: SendResult, took: timedelta) -> OutcomeLog:
    ours = settle.settle(db, delivery, attempt_of(result, took, "retry"), after=after)
    seconds = round(after.total_seconds())
    fields = {"error": result.error or "", "after_seconds": seconds, **_result_fields(result)}
    return _line(delivery, "retry", took, ours=ours, level=logging.WARNING, **fields)


def _end(db: Connection, delivery: Delivery, outcome: str, result: SendResult, took: timedelta) -> OutcomeLog:
    ours = settle.settle(db, delivery, attempt_of(result, took, outcome))
    level = logging.ERROR if outcome == "dead" else logging.INFO
    return _line(delivery, outcome, took, ours=ours, level=level, error=result.error or "", **_result_fields(result))


def _line(
    delivery: Delivery, outcome: str, took: timedelta, *, ours: bool, level: int = logging.INFO, **fields: Any
) -> OutcomeLog:
    if ours:
        return OutcomeLog(delivery, outcome, took, fields, level)
    return OutcomeLog(delivery, "settled_late", took, {"outcome": f"delivery.{outcome}"}, logging.WARNING)


def _sentence(error: Exception) -> str:
    """The error for the row: only the primary message of a database error, since its details quote whole rows."""
    diagnostics = getattr(error.orig, "diag", None) if isinstance(error, DBAPIError) else None
    return f"{type(error).__name__}: {getattr(diagnostics, 'message_primary', None) or error}"
