"""State machines and compare-and-set: how a row moves to its next state, or to its next version."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Connection, update
from sqlalchemy.sql.expression import bindparam

from models.base import sql
from models.prepared import PreparedStatement
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import InvalidTransition, Stale
from workflows.kernel.records import Record


@dataclass(frozen=True, kw_only=True)
class VersionedRecord(Record):
    """A row with a version, which each change of it raises."""

    id: UUID
    version: int


@dataclass(frozen=True, kw_only=True)
class StatefulRecord(VersionedRecord):
    """A row that a state machine moves."""

    status: StrEnum


V = TypeVar("V", bound=VersionedRecord)
R = TypeVar("R", bound=StatefulRecord)


@dataclass(frozen=True)
class StateMachine(Generic[R]):
    """The states of a kind of record, and the function that moves one."""

    subject: str  # what it is called in sentences and metrics
    transitions: Mapping[Any, frozenset[Any]]  # the table beside the enum in `models/`
    record: type[R]  # as which a moved row is returned
    # By the state that is reached, an UPDATE of the row that still has `:id`, the state before and `:version`,
    # returning it; such as an `update_statement`.
    statements: Mapping[Any, PreparedStatement]

    def require_transition(self, before: R, status: StrEnum) -> None:
        """Require a step that the state machine has; raises InvalidTransition."""
        if status not in self.transitions[before.status]:
            raise InvalidTransition(
                f"A {self.subject} that is {before.status} cannot become {status}.", step=self.step(before, status)
            )

    def move(self, db: Connection, before: R, status: StrEnum, **values: Any) -> R:
        """Move a record to `status` by compare-and-set, and return the moved one.

        Args:
            before: as it was read; if it has changed since, nothing is moved.
            values: the further parameters of this state's statement, every one of them.

        Raises:
            InvalidTransition: there is no such step, from the state it was read in or from the one it has now.
            DomainError: of a violated constraint.
        """
        self.require_transition(before, status)
        with constraint_errors():
            row = self.statements[status].one_or_none(db, {"id": before.id, "version": before.version, **values})
        if row is None:
            query = self.record.query().where(self.record.table.c.id == before.id)
            # The message names the state that another caller has moved it to.
            self.require_transition(self.record.of(db.execute(query).one()), status)
            raise InvalidTransition(
                f"The {self.subject} has changed in the meantime; read it again.", step=self.step(before, status)
            )
        # Values that were read besides the row's own columns stay.
        return self.record.of_values({**before.beside_columns(), **row})

    def step(self, before: R, status: StrEnum) -> tuple[str, str, str]:
        """The step that is refused, for the metric of refusals."""
        return self.subject, before.status, status


def update_statement(record: type[Record], before: StrEnum, status: StrEnum, *columns: str) -> PreparedStatement:
    """The compare-and-set from one state to another that writes `columns`, each from the parameter of its name."""
    assignments = "".join(f", {column} = :{column}" for column in columns)
    # The row is found by its key. The planner must not know that a partial index over the rows in this state would do:
    # a plan made while the table was nearly empty would look through all of them, each time.
    statement = f"""
UPDATE {record.table.name} SET status = '{status}'{assignments}
WHERE id = :id AND CAST(status AS text) = '{before}' AND version = :version
RETURNING {record.names()}
"""
    parameters = [bindparam(column, type_=record.table.c[column].type) for column in columns]
    return PreparedStatement(sql(statement).bindparams(*parameters).columns(*record.columns()))


def update_record(db: Connection, before: V, changes: Mapping[str, Any], *, subject: str, any_version: bool) -> V:
    """Write some columns of a record by compare-and-set on its version, and return the changed one.

    Args:
        any_version: the caller decided on no version in particular: concurrent changes of other columns stay.

    Raises:
        Stale: it has changed since `before` was read.
    """
    if not changes:
        return before
    table = before.table
    statement = update(table).where(table.c.id == before.id).values(**changes).returning(*before.columns())
    if not any_version:
        statement = statement.where(table.c.version == before.version)
    row = db.execute(statement).one_or_none()
    if row is None:
        raise Stale(subject)
    return before.of(row)
