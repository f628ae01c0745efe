"""One transaction per request that may change something: begun at its first statement, committed before its answer
leaves, else rolled back. A request that only reads has none: each of its statements sees what was committed before."""

from collections.abc import Callable
from contextlib import ExitStack

import structlog
from flask import Response, g, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.audit.entries import complete_entry
from api.http.etags import any_version_will_do
from api.http.idempotency import AnsweredMeanwhile
from api.state import app_state
from config import telemetry
from models.engine import autocommit
from models.sqlstates import is_connection_loss, is_lost_race, sqlstate_of
from workflows.kernel.errors import Stale

log = structlog.get_logger("api.database")

View = Callable[[], ResponseReturnValue]
READ_METHODS = ("GET", "HEAD")

# Made beforehand, here and elsewhere: what begins at 0 is seen to grow to 1.
_RETRIES = {
    reason: telemetry.TRANSACTION_RETRIES.labels("request", reason)
    for reason in ("lost_race", "lost_connection", "stale")
}


class _RolledBack(Exception):
    """Leaves the transaction of a view that answered with an error instead of raising one."""


def database() -> Connection:
    """The connection of this request, in its transaction if it may change something."""
    # Each look through the proxy costs as much as ten at an attribute.
    kept = g._get_current_object()
    if "db" not in kept:
        state = app_state()
        opened = autocommit(state.engine) if request.method in READ_METHODS else state.transactions()
        kept.db = kept.transaction.enter_context(opened)
    connection: Connection = kept.db
    return connection


def end_transaction() -> None:
    """Commit what the request has done until now, and give its connection back; `database()` is another one then.

    A view that asks another service in between has to be one that may run once more.
    """
    kept = g._get_current_object()
    kept.transaction.close()
    kept.pop("db", None)


def in_transaction(view: View) -> Response:
    """Run a view in one transaction, and return its response after the commit.

    A transaction that lost a race (deadlock, serialisation, key answered meanwhile), or whose connection turned out to
    be broken before its commit began, has done nothing: the view runs once more. After a commit that broke, its outcome
    is unknown.
    """
    try:
        return _attempt(view)
    except (SQLAlchemyError, Stale, AnsweredMeanwhile) as error:
        if not _is_safe_to_retry(error):
            raise
        log.warning("transaction retried", error=type(error).__name__, sqlstate=sqlstate_of(error))
        _RETRIES[_reason(error)].inc()
        return _attempt(view)
    finally:
        g.pop("db", None)


def _is_safe_to_retry(error: SQLAlchemyError | Stale | AnsweredMeanwhile) -> bool:
    if isinstance(error, Stale):
        # The row changed between read and write; a caller that named no version means the present one.
        return any_version_will_do(request)
    return _reason(error) == "lost_race" or (is_connection_loss(error) and not g.committing)


def _reason(error: SQLAlchemyError | Stale | AnsweredMeanwhile) -> str:
    if isinstance(error, Stale):
        return "stale"
    lost_race = isinstance(error, AnsweredMeanwhile) or is_lost_race(error)
    return "lost_race" if lost_race else "lost_connection"


def _attempt(view: View) -> Response:
    kept = g._get_current_object()
    kept.pop("db", None)
    kept.pop("audit", None)
    kept.committing = False
    try:
        with ExitStack() as kept.transaction:
            response = make_response(view())
            if response.status_code >= 400:
                raise _RolledBack
            if request.method not in READ_METHODS:
                complete_entry(response)
            kept.committing = True
    except _RolledBack:
        return response
    return response
