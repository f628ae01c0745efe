"""Transactions of the API and the workers: commit, then log, count and publish what was recorded; and their metrics."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter
from typing import Any, Protocol, cast

import structlog
from sqlalchemy import Connection, Engine, QueuePool, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from config import telemetry
from models.engine import autocommit
from models.prepared import observe_prepared
from models.sqlstates import is_outage
from workflows.events.event import Event
from workflows.events.event_types import (
    BookingAccepted,
    BookingAwaitingPayment,
    BookingCancelled,
    BookingDeclined,
    BookingEvent,
    BookingRequested,
    SessionCancelled,
    SessionCompleted,
    SessionCreated,
    SessionEvent,
    SessionStarted,
)
from workflows.events.record import Recorded, Wakeup, drain_recorded, flush_deferred

log = structlog.get_logger(__name__)

# Labels of metrics: the state before a row was made, and the class of an error that no server reported.
NOTHING = "none"
NO_ANSWER = "none"

# The state before each transition, unless the transition made the row: an instant listing accepts a new booking.
BEFORE: dict[type[Event], str] = {
    BookingRequested: NOTHING,
    BookingAwaitingPayment: "draft",
    BookingAccepted: "draft",
    BookingDeclined: "draft",
    BookingCancelled: "draft",
    SessionCreated: NOTHING,
    SessionStarted: "scheduled",
    SessionCompleted: "in_progress",
    SessionCancelled: "scheduled",
}

# Finding a label by its values takes a lock and half the time of counting.
_recorded_of = cache(telemetry.EVENTS.labels)
_steps_of = cache(telemetry.TRANSITIONS.labels)

# Of a session that an operator voids after it has begun.
VOIDED_FROM = "in_progress"
# Of a booking that had waited for its payment.
AWAITED_FROM = "awaiting_payment"


class WakeupSink(Protocol):
    """Takes the wake-ups of a transaction that has committed."""

    def put(self, wakeups: Iterable[Wakeup]) -> None: ...


class Transactions:
    """Opens transactions that commit when their block ends well, and roll back when it raises."""

    def __init__(self, engine: Engine, wakeups: WakeupSink) -> None:
        self.engine = engine
        self._wakeups = wakeups

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        """One transaction; its recorded events are logged, counted and published after its commit, never before."""
        with self.engine.connect() as db:
            drain_recorded(db)
            try:
                with db.begin():
                    yield db
                    flush_deferred(db)
            finally:
                recorded = drain_recorded(db)
            self._publish(recorded)

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection on which each statement is its own transaction; no event may be recorded on it."""
        with autocommit(self.engine) as db:
            yield db

    def _publish(self, recorded: Recorded) -> None:
        count(recorded.events)
        for each in recorded.events:
            log.info(each.type, event_id=each.id, actor=each.actor, **{f"{each.subject}_id": each.subject_id})
        for cancelled in recorded.cancelled:
            telemetry.DELIVERY_DURATION.labels(cancelled["effect"], "cancelled").observe(0)
            log.info("delivery.cancelled", **cancelled)
        self._wakeups.put(recorded.wakeups)


def is_unavailable(error: Exception) -> bool:
    """Whether the database is unavailable at the moment, which is logged as a line and without a traceback."""
    return isinstance(error, OperationalError) or (isinstance(error, SQLAlchemyError) and is_outage(error))


def count(events: Iterable[Event]) -> None:
    for each in events:
        _recorded_of(each.type).inc()
        if isinstance(each, SessionCreated):
            telemetry.SESSIONS_CREATED.inc()
        before = state_before(each)
        if before is not None and isinstance(each, BookingEvent | SessionEvent):
            _steps_of(each.subject, before, each.status).inc()


def state_before(recorded: Event) -> str | None:
    """The state before an event's transition; None for an event without a transition."""
    before = BEFORE.get(type(recorded))
    if before is None or not isinstance(recorded, BookingEvent | SessionEvent):
        return None
    if isinstance(recorded, SessionCancelled) and recorded.started:
        return VOIDED_FROM
    if isinstance(recorded, BookingAccepted | BookingCancelled) and recorded.awaited_payment:
        return AWAITED_FROM
    return NOTHING if recorded.version == 1 else before


def metered(engine: Engine, process: str) -> Engine:
    """Measure an engine's statements and connections from now on; once per engine.

    Args:
        process: its name in the process list, e.g. "worker-reviews".
    """
    duration = telemetry.STATEMENT_DURATION.labels(process)
    telemetry.DATABASE_ERRORS.labels(process, NO_ANSWER)
    in_use = telemetry.CONNECTIONS_IN_USE.labels(process)
    pool = cast(QueuePool, engine.pool)
    telemetry.CONNECTIONS_MOST.labels(process).set(pool.size())

    @event.listens_for(engine, "before_cursor_execute")
    def begin(_db: object, _cursor: object, _text: object, _parameters: object, context: Any, _many: object) -> None:
        context.tutelage_began = perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def end(_db: object, _cursor: object, _text: object, _parameters: object, context: Any, _many: object) -> None:
        duration.observe(perf_counter() - context.tutelage_began)

    observe_prepared(engine, lambda _statement, seconds: duration.observe(seconds))

    @event.listens_for(engine, "handle_error")
    def fail(context: ExceptionContext) -> None:
        state = getattr(context.original_exception, "sqlstate", None)
        telemetry.DATABASE_ERRORS.labels(process, state[:2] if state else NO_ANSWER).inc()

    # Set rather than counted up and down: the next call corrects a missed one.
    @event.listens_for(engine, "checkout")
    def check_out(*_connection: object) -> None:
        in_use.set(pool.checkedout())

    @event.listens_for(engine, "checkin")
    def check_in(*_connection: object) -> None:
        in_use.set(max(0, pool.checkedout() - 1))

    return engine
