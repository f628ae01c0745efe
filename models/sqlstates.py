"""Database errors by SQLSTATE (PostgreSQL's manual, appendix A): outages, lost races and time-outs."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# By SQLSTATE class: connections, resources, operators' interventions (shutdowns, time limits), rollbacks of the
# server's own making. A standby that was promoted late, and a lock not had in time, pass by themselves as well.
_OUTAGE_CLASSES = ("08", "40", "53", "57")
_OUTAGE_STATES = ("25006", "55P03")
DEADLOCK, SERIALIZATION_FAILURE, LOCK_NOT_AVAILABLE, QUERY_CANCELED = "40P01", "40001", "55P03", "57014"
INSUFFICIENT_PRIVILEGE = "42501"
LOST_RACES = {DEADLOCK, SERIALIZATION_FAILURE}


def is_outage(error: SQLAlchemyError) -> bool:
    """Whether the same request may well succeed a moment later, with nothing repaired."""
    if isinstance(error, PoolTimeout | PendingRollbackError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = sqlstate_of(error)
    if state is None:
        return is_connection_loss(error)
    return state.startswith(_OUTAGE_CLASSES) or state in _OUTAGE_STATES


def is_connection_loss(error: Exception) -> bool:
    """Whether the connection broke, or was never made: the driver then has no SQLSTATE to give."""
    # The error of a later statement, after the one during which the connection broke.
    if isinstance(error, PendingRollbackError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    never_made = sqlstate_of(error) is None and isinstance(error, OperationalError | InterfaceError)
    return error.connection_invalidated or never_made


def is_lost_race(error: SQLAlchemyError) -> bool:
    """Whether the server gave up this transaction for the sake of another one (deadlock, serialisation)."""
    return isinstance(error, DBAPIError) and sqlstate_of(error) in LOST_RACES


def sqlstate_of(error: BaseException | None) -> str | None:
    """The SQLSTATE of a database error; None where the server sent none."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
