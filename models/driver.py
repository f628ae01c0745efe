"""The driver's connection, with a short way for statements that are prepared: one call of libpq each.

Psycopg sends, waits and reads in Python, step by step, and gives the interpreter's lock away several times on the way:
a select that PostgreSQL answers in 20 µs takes twice as much processor time there (psycopg 3.3.9). Here, libpq does all
of it while other threads run. What the short way leaves out is that Ctrl-C would end a statement that is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.adapt import Transformer as make_transformer
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

_IDLE_OR_OPEN = (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR)
_SUCCESSES = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class DriverConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection of psycopg, whose names of prepared statements and whose transactions it shares."""

    _kept_transformer: Transformer | None = None

    def fetch(self, query: bytes, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement that is prepared at its first execution, in a transaction as any other statement.

        Args:
            query: with `$1`, `$2` … in the place of its parameters; the very same object each time.
            values: of the parameters.

        Raises:
            psycopg.Error: as a cursor raises it.
        """
        pgconn = self.pgconn
        if not self._autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
            self._require(pgconn.exec_(self._get_tx_start_command()))
        # One for each connection: a new one looks up again how each type is read and written.
        transformer = self._kept_transformer
        if transformer is None:
            transformer = self._kept_transformer = make_transformer(self)
        parameters = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
        name = self._name_of(query, transformer.types or ())
        # A null is None; psycopg's protocol leaves that out.
        result = self._require(pgconn.exec_prepared(name, parameters, transformer.formats))  # type: ignore[arg-type]
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def set_autocommit(self, value: bool) -> None:
        """As psycopg has it."""
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            self._autocommit = value
        else:
            super().set_autocommit(value)

    def commit(self) -> None:
        """As psycopg has it."""
        status = self.pgconn.transaction_status
        if self._num_transactions or status not in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
            super().commit()
        elif status == TransactionStatus.INTRANS:
            self._require(self.pgconn.exec_(b"COMMIT"))

    def rollback(self) -> None:
        """As psycopg has it, but that statements stay prepared.

        Psycopg has the server forget them all, for those that name what the transaction has created: ours name tables.
        Each refused change would have the next ones prepare and plan theirs anew.
        """
        status = self.pgconn.transaction_status
        if self._num_transactions or status not in _IDLE_OR_OPEN:
            super().rollback()
        elif status != TransactionStatus.IDLE:
            self._require(self.pgconn.exec_(b"ROLLBACK"))

    def _name_of(self, query: bytes, types: tuple[int, ...]) -> bytes:
        # Psycopg's own list: it knows when the server has been told to forget them all.
        prepared, key = self._prepared, (query, types)
        name = prepared._names.get(key)
        if name is not None:
            prepared._names.move_to_end(key)
            return name
        name = f"_pg3_{prepared._prepared_idx}".encode()
        prepared._prepared_idx += 1
        self._require(self.pgconn.prepare(name, query, types))
        prepared._names[key] = name
        prepared._rotate()
        self.wait(prepared.maintain_gen(self))
        return name

    def _require(self, result: PGresult) -> PGresult:
        if result.status in _SUCCESSES:
            return result
        if not result.error_field(DiagnosticField.SQLSTATE):
            # It is not the server's: the connection is lost.
            raise psycopg.OperationalError(self.pgconn.get_error_message())
        raise error_from_result(result, encoding=self.info.encoding)
