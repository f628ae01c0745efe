"""The engine: how a process reaches PostgreSQL, how long it waits for PostgreSQL, and how statements are planned."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Lock, Thread
from time import sleep
from typing import Any, Self, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus
from psycopg.rows import dict_row
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, ExecutionContext
from sqlalchemy.pool import ConnectionPoolEntry

from models.driver import DriverConnection, ServerStalled

log = logging.getLogger(__name__)

# Limits live where the waiting is: Celery's thread pool cannot interrupt a task (durability.md).
# A statement may be waited for longer than a lock, and an abandoned transaction must not keep its locks.
TIMEOUTS = {
    # The client gives the statement up before 10 seconds have passed, even if the server stalls (models/driver.py).
    "statement_timeout": "9s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
}
# They belong to the role, in this database (ALTER ROLE … IN DATABASE): a pooler in transaction mode passes on neither
# a connection's start-up options nor its SET commands.
SESSION_SETTINGS = {
    **TIMEOUTS,
    "timezone": "UTC",
    # Half of PostgreSQL's time went into planning the same statements again for each array of parameters. Each of them
    # finds its index whatever the parameters are (tests explain them under this setting), so that one plan is enough.
    "plan_cache_mode": "force_generic_plan",
    # A plan made while a table is nearly empty is kept until the next ANALYZE: by then, a scan of the whole table that
    # looked cheap has been repeated over thousands of rows. Where no index helps, whole tables are read nevertheless.
    "enable_seqscan": "off",
}
# Limits of TCP connections, by libpq's names. A server that has vanished (a failover, a broken network) sends nothing,
# not even an end of the connection: the kernel would wait a quarter of an hour for an acknowledgement and two hours for
# an answer. The kernel of a server that stalls does acknowledge; the driver ends those waits.
CONNECTION_LIMITS: dict[str, int] = {
    "tcp_user_timeout": 15_000,  # milliseconds
    "keepalives_idle": 5,  # seconds, as the next one
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
# Between two attempts to reach a server that stalls.
RETRY_SECONDS = 0.5
# The second execution on a connection is planned for good; psycopg waits for the sixth.
PREPARE_THRESHOLD = 1
# The values at the session's start, without later SET commands.
_BEGUN_WITH = "SELECT lower(name) AS name, reset_val FROM pg_settings WHERE lower(name) = ANY(%s)"
# The execution option that holds what the driver raised.
DRIVER_ERROR = "tutelage_driver_error"
# Replaces the values of a row, which errors of constraints quote.
HIDDEN_DETAIL = "(hidden)"
_NOT_SAID = (None,) * 5
_WITH_DRIVER = re.compile(r"\A(postgres(?:ql)?)\+\w+(?=://)")
_NEW_PLAN_NEEDED = ("0A000", "RevalidateCachedQuery")
_TAKES_NO_CHANGES = "25006"


class _Cursor(psycopg.Cursor[Any]):
    """A cursor with a cheap `description`, which SQLAlchemy asks for with every result and reads once a statement.

    Psycopg's own builds an object for each column: a fifth of what a row of twenty columns costs (psycopg 3.3.9).
    """

    def execute(self, *words: Any, **options: Any) -> Self:
        super().execute(*words, **options)
        cast(DriverConnection, self.connection).forget_prepared(self.statusmessage or "")
        return self

    @property
    def description(self) -> Any:
        """Names and type ids of the columns as PEP 249 has them; None where the statement returned no rows."""
        result = self.pgresult
        if result is None or result.status != ExecStatus.TUPLES_OK:
            return None
        return [((result.fname(n) or b"").decode(), result.ftype(n), *_NOT_SAID) for n in range(result.nfields)]


def create(
    database_url: str,
    *,
    pool_size: int = 8,
    name: str = "tutelage",
    connect_timeout: int = 3,
    warn: bool = True,
    gives_up: bool = True,
    recycle_seconds: int = -1,
) -> Engine:
    """Make an engine; its connections time out and answer in UTC once `set_up_role` has set up the role.

    Args:
        database_url: as libpq takes it, or as SQLAlchemy writes it; the driver is always psycopg 3. Its parameters go
            before CONNECTION_LIMITS and `connect_timeout`.
        pool_size: the most connections this process keeps or opens.
        name: shown in `pg_stat_activity` as the application's name.
        connect_timeout: seconds to wait for a connection to be made, to each host.
        warn: whether a role without its settings is logged.
        gives_up: whether a statement has a deadline even if the server stalls; False for an operator's commands.
        recycle_seconds: after which a connection is replaced; -1 for never.
    """
    # SQLAlchemy reads fewer addresses than libpq does.
    parameters = conninfo_to_dict(_WITH_DRIVER.sub(r"\1", database_url))
    engine = create_engine(
        _shown_url(parameters),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_recycle=recycle_seconds,
        pool_reset_on_return="rollback",
        # Reuse the same few connections, whose statements are prepared, while the others are idle.
        pool_use_lifo=True,
        # An error must not carry people's texts into logs.
        hide_parameters=True,
        connect_args={
            **CONNECTION_LIMITS,
            **parameters,
            # A statement's deadline counts with a number; libpq's 0, for any time, is none.
            "connect_timeout": max(0, int(parameters.get("connect_timeout") or 0)) or connect_timeout,
            "application_name": name,
            "prepare_threshold": PREPARE_THRESHOLD,
            "cursor_factory": _Cursor,
        },
    )
    if warn:
        event.listen(engine, "first_connect", _warn_of_missing_settings)
    event.listen(engine, "do_connect", _Reach().connect if gives_up else _connect)
    event.listen(engine, "do_execute", _raise_driver_error)
    event.listen(engine, "do_execute", _roll_back_to_savepoint)
    event.listen(engine, "handle_error", _replace_connections)
    event.listen(engine, "handle_error", _hide_refused_row)
    return engine


@contextmanager
def autocommit(engine: Engine) -> Iterator[Connection]:
    """A connection on which each statement is its own transaction: neither BEGIN nor COMMIT is sent."""
    with engine.connect() as db:
        # The driver's own switch: SQLAlchemy's isolation level AUTOCOMMIT costs more than the round trips it saves.
        driver = driver_of(db)
        driver.autocommit = True
        try:
            yield db
        finally:
            try:
                driver.autocommit = False
            except psycopg.Error:
                # Broken, or left in the middle of something.
                db.invalidate()


def driver_of(db: Connection) -> DriverConnection:
    return cast(DriverConnection, db.connection.dbapi_connection)


def set_up_role(db: psycopg.Connection[object]) -> None:
    """Set the settings of the logged-in role in this database where they are missing, for its next connections.

    A timeout that an operator has chosen stays.
    """
    for name, value in missing_settings(db).items():
        statement = "ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = {}"
        names = (sql.Identifier(db.info.dbname), sql.Identifier(name), sql.Literal(value))
        db.execute(sql.SQL(statement).format(*names))


def missing_settings(db: psycopg.Connection[object]) -> dict[str, str]:
    """The SESSION_SETTINGS that the role's connections do not begin with; a timeout may have any value but none."""
    with db.cursor(row_factory=dict_row) as cursor:
        begun = {row["name"]: row["reset_val"] for row in cursor.execute(_BEGUN_WITH, [list(SESSION_SETTINGS)])}
    return {
        name: value
        for name, value in SESSION_SETTINGS.items()
        if (begun[name] == "0" if name in TIMEOUTS else begun[name] != value)
    }


def _shown_url(parameters: Mapping[str, Any]) -> URL:
    """The engine's URL, as far as SQLAlchemy can express it; connections are made from the parameters."""
    host, port = str(parameters.get("host", "")), str(parameters.get("port", ""))
    is_simple = "," not in host and not host.startswith("/")
    return URL.create(
        "postgresql+psycopg",
        username=parameters.get("user"),
        password=parameters.get("password"),
        host=host if host and is_simple else None,
        port=int(port) if port.isdecimal() and is_simple else None,
        database=parameters.get("dbname"),
    )


def _connect(_dialect: Dialect, _entry: ConnectionPoolEntry, words: Any, options: Any) -> DriverConnection:
    return DriverConnection.connect_unwatched(*words, **options)


class _Reach:
    """How connections are made: a circuit breaker for a server that stalls.

    Once a handshake or a statement was given up, a thread tries until the server answers or is gone. Until then every
    request for a connection fails at once: otherwise each would wait for the handshake's time, one after the other.
    """

    def __init__(self) -> None:
        self._stalled = False
        self._lock = Lock()

    def connect(self, _dialect: Dialect, _entry: ConnectionPoolEntry, words: Any, options: Any) -> DriverConnection:
        """A connection for SQLAlchemy; raises ServerStalled while the server does not answer."""
        if self._stalled:
            raise ServerStalled("PostgreSQL does not answer.")
        attempt = partial(DriverConnection.connect_watched, *words, **options)
        try:
            connection = attempt()
        except (ServerStalled, psycopg.errors.ConnectionTimeout):
            self._begin(attempt)
            raise
        connection.when_stalled = partial(self._begin, attempt)
        return connection

    def _begin(self, attempt: Callable[[], DriverConnection]) -> None:
        with self._lock:
            if not self._stalled:
                Thread(target=self._try, args=[attempt], name="try to connect", daemon=True).start()
                self._stalled = True

    def _try(self, attempt: Callable[[], DriverConnection]) -> None:
        while True:
            try:
                attempt().close()
                break
            except (ServerStalled, psycopg.errors.ConnectionTimeout):
                sleep(RETRY_SECONDS)
            except Exception:  # noqa: BLE001 - the next request for a connection gets the same, or is answered
                # A server that is gone or refuses connections reports so at once.
                break
        with self._lock:
            self._stalled = False


def _warn_of_missing_settings(connection: psycopg.Connection[object], _entry: ConnectionPoolEntry) -> None:
    missing = missing_settings(connection)
    connection.rollback()
    if missing:
        log.warning(
            "The database role lacks %s: `tutelage migrate` sets them, or ALTER ROLE (docs/running.md).",
            ", ".join(f"{name} = {value}" for name, value in missing.items()),
        )


def _raise_driver_error(_cursor: object, _statement: str, _values: object, context: ExecutionContext) -> None:
    # An error of the driver's own cursor is handled as if SQLAlchemy had run the statement.
    error: psycopg.Error | None = context.execution_options.get(DRIVER_ERROR)
    if error is not None:
        raise error


def _roll_back_to_savepoint(
    cursor: psycopg.Cursor[Any], statement: str, _values: object, _context: ExecutionContext
) -> bool | None:
    """Roll back without psycopg's own command, after which the server forgets all prepared statements."""
    if not statement.startswith("ROLLBACK TO SAVEPOINT "):
        return None
    cast(DriverConnection, cursor.connection).run(statement.encode())
    return True


def _replace_connections(context: ExceptionContext) -> None:
    # All connections of the pool are replaced, as if the server had closed them, so that it counts as a lost one: after
    # a migration that changed what a prepared statement returns ("cached plan must not change result type"), and where
    # the server takes no changes any longer, since another one of DATABASE_URL may.
    error = context.original_exception
    if isinstance(error, psycopg.Error) and (
        error.sqlstate == _TAKES_NO_CHANGES or (error.sqlstate, error.diag.source_function) == _NEW_PLAN_NEEDED
    ):
        context.is_disconnect = True


def _hide_refused_row(context: ExceptionContext) -> None:
    # DETAIL quotes the refused row with people's texts, which neither logs nor deliveries may hold.
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    detail = error.diag.message_detail if isinstance(error, psycopg.Error) else None
    if detail:
        for each in (error, wrapped):
            if each is not None:
                each.args = tuple(str(part).replace(detail, HIDDEN_DETAIL) for part in each.args)
