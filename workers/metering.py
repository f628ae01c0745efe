"""How long PostgreSQL takes for one process's statements, and how many of its connections are in use."""

from __future__ import annotations

from time import perf_counter
from typing import Any, cast

from sqlalchemy import Engine, QueuePool, event
from sqlalchemy.engine import ExceptionContext

from config import telemetry

NO_ANSWER = "none"


def metered(engine: Engine, process: str) -> Engine:
    """The same engine, its statements and connections measured from now on; once per engine.

    Args:
        process: as it stands in the process list, e.g. "worker-reviews".
    """
    _measure_statements(engine, process)
    _watch_pool(engine, process)
    return engine


def _measure_statements(engine: Engine, process: str) -> None:
    duration = telemetry.STATEMENT_DURATION.labels(process)
    telemetry.DATABASE_ERRORS.labels(process, NO_ANSWER)

    def begin(_db: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        context.tutelage_began = perf_counter()

    def end(_db: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        duration.observe(perf_counter() - context.tutelage_began)

    def fail(context: ExceptionContext) -> None:
        state = getattr(context.original_exception, "sqlstate", None)
        telemetry.DATABASE_ERRORS.labels(process, state[:2] if state else NO_ANSWER).inc()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)


def _watch_pool(engine: Engine, process: str) -> None:
    pool = cast(QueuePool, engine.pool)
    in_use = telemetry.CONNECTIONS_IN_USE.labels(process)
    telemetry.CONNECTIONS_MOST.labels(process).set(pool.size())

    # Set rather than counted up and down: whatever is missed is put right by the next one.
    def take(*_connection: Any) -> None:
        in_use.set(pool.checkedout())

    def give_back(*_connection: Any) -> None:
        in_use.set(max(0, pool.checkedout() - 1))

    event.listen(engine, "checkout", take)
    event.listen(engine, "checkin", give_back)
