"""The driver's connection, with a short way for statements that are prepared: one call of libpq each.

Psycopg sends, waits and reads in Python, step by step, and gives the interpreter's lock away several times on the way:
a select that PostgreSQL answers in 20 µs takes twice as much processor time there (psycopg 3.3.9). Here, libpq does all
of it while other threads run; the price is that Ctrl-C does not end a statement that is waited for. All of this is
psycopg's public interface, `psycopg.pq` included; psycopg's own prepared statements are others.

libpq does not end a wait either: a server that is stopped, or whose disk stalls, keeps its connections, and its kernel
goes on acknowledging. So each statement has a deadline here: one thread of the process looks at all connections, and
shuts down the socket of a connection that has waited for longer, which ends the wait of any thread.
"""

import os
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, Self, TypeVar
from weakref import WeakSet

import psycopg
from psycopg.abc import PQGen, Transformer
from psycopg.adapt import PyFormat
from psycopg.adapt import Transformer as make_transformer
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
_SUCCESSES = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
LOOK_SECONDS = 0.25
# A server that answers ends a statement before its client does: that keeps the connection.
MARGIN_SECONDS = 0.3
# Of a statement where the server has no limit.
UNLIMITED_SECONDS = 9.0
# Of prepared statements on a connection; the least recently used one is closed for another.
MAX_PREPARED = 100
# Commands after which psycopg has the server forget all prepared statements, since objects that they name may be gone.
_FORGETTING = ("DROP", "ALTER", "ROLLBACK", "DISCARD ALL", "DEALLOCATE ALL")
_SESSION = b"SELECT extract(epoch FROM current_setting('statement_timeout')::interval), pg_backend_pid()"
_PROBE = b"tutelage_probe"
_PROBE_IS_THERE = b"SELECT count(*) FROM pg_prepared_statements WHERE name = 'tutelage_probe'"

T = TypeVar("T")


class ServerStalled(psycopg.OperationalError):
    """The server keeps its connections and does not answer. Statements under way may still be executed."""


class DriverConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection of psycopg, with prepared statements of its own.

    Attributes:
        prepares: whether statements are prepared; False behind a pooler that does not move them between sessions.
        limit_seconds: for how long an answer is waited for; None for any time. Up to LOOK_SECONDS may come on top.
        waits_since: by `time.monotonic`, since when it has waited for an answer; None while it does not.
        when_stalled: called when it is given up, by the thread that looks.
    """

    prepares = True
    limit_seconds: float | None = None
    waits_since: float | None = None
    when_stalled: Callable[[], None] | None = None
    _given_up = False
    _socket: socket.socket | None = None
    _kept_transformer: Transformer | None = None
    _statements: OrderedDict[tuple[bytes, tuple[int, ...]], bytes] | None = None
    _last_number = 0

    @classmethod
    def connect_unwatched(cls, *words: Any, **options: Any) -> Self:
        """Connect, without a deadline for statements."""
        connection = cls.connect(*words, **options)
        connection._learn_of_session()
        return connection

    @classmethod
    def connect_watched(cls, *words: Any, connect_timeout: int, **options: Any) -> Self:
        """Connect, and from now on give up a statement shortly after the server's own `statement_timeout` for it.

        Args:
            connect_timeout: seconds to wait for the handshake with one host.
        """
        connection = cls.connect(*words, connect_timeout=connect_timeout, **options)
        connection.limit_seconds = connect_timeout
        # A descriptor of its own: the driver's may be closed, and be another file's, at any moment.
        connection._socket = socket.socket(fileno=os.dup(connection.fileno()))
        _watch.add(connection)
        with connection._deadline():
            seconds = connection._learn_of_session()
        connection.limit_seconds = (seconds or UNLIMITED_SECONDS) + MARGIN_SECONDS
        return connection

    def fetch(self, query: bytes, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement that is prepared at its first execution, in a transaction as any other statement.

        Args:
            query: with its parameters as `$1`, `$2` …; the very same object each time.
            values: of the parameters.

        Raises:
            psycopg.Error: as a cursor raises it.
        """
        pgconn = self.pgconn
        if pgconn.transaction_status == TransactionStatus.IDLE and not self.autocommit:
            self._begin()
        # Only now: each command that begins the transaction ends a wait of its own.
        self.waits_since = monotonic()
        try:
            # One for each connection: a new one looks up again how each type is read and written.
            transformer = self._kept_transformer
            if transformer is None:
                transformer = self._kept_transformer = make_transformer(self)
            # A null is None, which psycopg's protocol leaves out.
            parameters: Any = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
            if self.prepares:
                name = self._name_of(query, transformer.types or ())
                result = self._require(pgconn.exec_prepared(name, parameters, transformer.formats))
            else:
                result = self._require(pgconn.exec_params(query, parameters, transformer.types, transformer.formats))
        finally:
            self.waits_since = None
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """As psycopg has it, with the deadline; its cursors wait by it."""
        try:
            with self._deadline():
                return super().wait(gen, *args, **kwargs)
        except psycopg.OperationalError as error:
            if self._given_up:
                raise self._stalled() from error
            raise

    def close(self) -> None:
        super().close()
        if self._socket is not None:
            with _watch.lock:
                self._socket.close()

    def give_up(self) -> None:
        """End every wait on this connection, which cannot be used after that; called by another thread."""
        self._given_up = True
        if self.when_stalled is not None:
            self.when_stalled()
        if self._socket is not None:
            # It may just have been closed.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def commit(self) -> None:
        if self.pgconn.transaction_status == TransactionStatus.INTRANS:
            self.run(b"COMMIT")
        elif self.pgconn.transaction_status != TransactionStatus.IDLE:
            super().commit()

    def rollback(self) -> None:
        """Roll back as psycopg does, but keep statements prepared.

        Psycopg has the server forget them all, because some may name objects that the transaction created: ours name
        tables. After each refused change, the next requests would prepare and plan their statements again.
        """
        if self.pgconn.transaction_status in _OPEN:
            self.run(b"ROLLBACK")
        elif self.pgconn.transaction_status != TransactionStatus.IDLE:
            super().rollback()

    def run(self, command: bytes) -> None:
        """Run a command without parameters, after which statements stay prepared, ROLLBACK TO SAVEPOINT included."""
        with self._deadline():
            self._require(self.pgconn.exec_(command))

    def forget_prepared(self, command: str) -> None:
        """Note that a command of this status has made the server forget all prepared statements, if it has."""
        if command.startswith(_FORGETTING):
            self._statements = None

    def _learn_of_session(self) -> float:
        """Find out whether statements can be prepared; returns the session's `statement_timeout`, 0 for none."""
        result = self._require(self.pgconn.exec_(_SESSION))
        # A pooler makes up the process id that it gives to its clients.
        is_pooled = int(result.get_value(0, 1) or b"0") != self.pgconn.backend_pid
        if is_pooled and not self._moves_prepared():
            self.prepares, self.prepare_threshold = False, None
        return float(result.get_value(0, 0) or b"0")

    def _moves_prepared(self) -> bool:
        """Whether the pooler prepares statements again in other sessions, where it gives them names of its own.

        Otherwise a name may stand for another client's statement there.
        """
        self._require(self.pgconn.exec_(b"BEGIN"))
        self._require(self.pgconn.prepare(_PROBE, b"SELECT"))
        is_there = self._require(self.pgconn.exec_(_PROBE_IS_THERE)).get_value(0, 0) == b"1"
        self._require(self.pgconn.close_prepared(_PROBE))
        self._require(self.pgconn.exec_(b"ROLLBACK"))
        return not is_there

    def _begin(self) -> None:
        if self.isolation_level is None and self.read_only is None and self.deferrable is None:
            self.run(b"BEGIN")
        else:
            # Psycopg begins a transaction of this kind before any statement.
            self.execute(b"SELECT")

    def _name_of(self, query: bytes, types: tuple[int, ...]) -> bytes:
        statements = self._statements
        if statements is None:
            statements = self._statements = OrderedDict()
        key = (query, types)
        name = statements.get(key)
        if name is not None:
            statements.move_to_end(key)
            return name
        if len(statements) >= MAX_PREPARED:
            self._require(self.pgconn.close_prepared(statements.popitem(last=False)[1]))
        # No number is used twice: after an error, the server may or may not have the statement.
        self._last_number += 1
        name = b"tutelage_%d" % self._last_number
        self._require(self.pgconn.prepare(name, query, types))
        statements[key] = name
        return name

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        self.waits_since = monotonic()
        try:
            yield
        finally:
            self.waits_since = None

    def _stalled(self) -> ServerStalled:
        return ServerStalled(f"PostgreSQL did not answer within {self.limit_seconds:g} seconds.")

    def _require(self, result: PGresult) -> PGresult:
        if result.status in _SUCCESSES:
            return result
        if not result.error_field(DiagnosticField.SQLSTATE):
            # It is not the server's: the connection is lost.
            if self._given_up:
                raise self._stalled()
            raise psycopg.OperationalError(self.pgconn.get_error_message())
        raise error_from_result(result, encoding=self.info.encoding)


class _Watch:
    """The connections of this process, and the thread that gives up those that have waited for too long."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._connections: WeakSet[DriverConnection] = WeakSet()
        self._thread: Thread | None = None

    def add(self, connection: DriverConnection) -> None:
        """Look at a connection from now on, for as long as there is one."""
        with self.lock:
            self._connections.add(connection)
            # After a fork, the thread is the parent's alone.
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._look, name="statement deadlines", daemon=True)
                self._thread.start()

    def all(self) -> list[DriverConnection]:
        with self.lock:
            return list(self._connections)

    def _look(self) -> None:
        while True:
            sleep(LOOK_SECONDS)
            now = monotonic()
            for connection in self.all():
                since, limit = connection.waits_since, connection.limit_seconds
                if since is not None and limit is not None and now - since > limit:
                    with self.lock:
                        connection.give_up()


_watch = _Watch()


def waits_for_server() -> bool:
    """Whether any thread of this process waits for an answer to a statement, within its deadline."""
    return any(connection.waits_since is not None for connection in _watch.all())
