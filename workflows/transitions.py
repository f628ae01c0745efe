"""State machine of a record: the one way from a state to the next, by compare-and-set on state and version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, Select
from sqlalchemy.sql.expression import TextualSelect

from workflows.errors import InvalidTransition


class HasState(Protocol):
    """A record with a state."""

    @property
    def id(self) -> UUID: ...
    @property
    def status(self) -> StrEnum: ...
    @property
    def version(self) -> int: ...
    @classmethod
    def of(cls, row: Row[Any]) -> Self: ...


R = TypeVar("R", bound=HasState)


@dataclass(frozen=True)
class StateMachine(Generic[R]):
    """The states of a kind of record, and how one of them is moved.

    Args:
        subject: what it is called in sentences and metrics.
        transitions: the table beside the enum in `models/`.
        record: as which a moved row is returned, and `by_id`, its query.
        statements: by the state that is reached, an UPDATE of the row that has still `:id`, the state before and
            `:version`, returning it.
    """

    subject: str
    transitions: Mapping[Any, frozenset[Any]]
    record: type[R]
    by_id: Callable[[UUID], Select[Any]]
    statements: Mapping[Any, TextualSelect] = field(default_factory=dict)

    def require_transition(self, before: R, status: StrEnum) -> None:
        """Refuse a step that the state machine does not have.

        Raises:
            InvalidTransition: there is no such step from the state it was read in.
        """
        if status not in self.transitions[before.status]:
            raise InvalidTransition(
                f"A {self.subject} that is {before.status} cannot become {status}.", step=self.step(before, status)
            )

    def move(self, db: Connection, before: R, status: StrEnum, **values: Any) -> R:
        """Move a record to `status`, and return it as it stands then.

        Args:
            before: as it was read; if it has changed since, nothing is moved.
            values: the further columns that this step writes, every one of them.

        Raises:
            InvalidTransition: there is no such step, from the state it was read in or from the one it has now.
        """
        self.require_transition(before, status)
        row = db.execute(self.statements[status], {"id": before.id, "version": before.version, **values}).one_or_none()
        return self.moved(db, row, before, status)

    def moved(self, db: Connection, row: Row[Any] | None, before: R, status: StrEnum) -> R:
        """The record that a compare-and-set returned, or the refusal for having come second.

        Raises:
            InvalidTransition: nothing was moved, since another caller was first.
        """
        if row is None:
            # What the other caller did makes the message.
            self.require_transition(self.record.of(db.execute(self.by_id(before.id)).one()), status)
            raise InvalidTransition(
                f"The {self.subject} has just changed; read it again.", step=self.step(before, status)
            )
        return self.record.of(row)

    def step(self, before: R, status: StrEnum) -> tuple[str, str, str]:
        """The step that is refused, for the metric of refusals."""
        return self.subject, before.status, status
