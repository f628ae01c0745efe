"""An event: something that happened to one subject, as it is written down, read back and told."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self, get_type_hints
from uuid import UUID

from uuid_utils.compat import uuid7

from workflows.identity.actor import Actor
from workflows.records import Record

ENVELOPE = frozenset({"id", "actor", "occurred_at", "sequence"})


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to one subject. Subclasses add the data; times are UTC.

    What is not `announced` is nobody's business but its own endpoint's, or its owner's.

    `sequence` is the database's, and None until the event has been read back.
    """

    type: ClassVar[str] = "*"
    subject: ClassVar[str] = ""
    announced: ClassVar[bool] = True

    id: UUID = field(default_factory=uuid7)
    actor: str
    occurred_at: datetime
    sequence: int | None = None

    @property
    def subject_id(self) -> UUID:
        """The id of the row that the event is about."""
        identifier: UUID = getattr(self, f"{self.subject}_id")
        return identifier

    def data(self) -> dict[str, Any]:
        """The event's own fields, as JSON can hold them."""
        return {name: _as_json(getattr(self, name)) for name in own_fields(type(self))}

    @classmethod
    def about(cls, record: Record, *, actor: Actor, now: datetime, **besides: Any) -> Self:
        """The event that has happened to `record`, which holds its row as it stands after the step.

        The record's own id is the event's `…_id`; whatever else the event tells, the record calls by the same name.

        Args:
            besides: what the event tells and the record does not hold, by the event's names.
        """
        subject_id = f"{cls.subject}_id"
        of_record = [name for name in own_fields(cls) if name not in besides]
        told = {name: getattr(record, "id" if name == subject_id else name) for name in of_record}
        return cls(actor=actor.name, occurred_at=now, **told, **besides)

    @classmethod
    def read(cls, *, id: UUID, actor: str, occurred_at: datetime, sequence: int, data: dict[str, Any]) -> Self:
        """The event that was stored; fields that a newer writer added are left alone."""
        own = {name: _from_json(kind, data.get(name)) for name, kind in own_fields(cls).items() if name in data}
        return cls(id=id, actor=actor, occurred_at=occurred_at, sequence=sequence, **own)


def own_fields(event: type[Event]) -> dict[str, Any]:
    """The types of an event's own fields by name."""
    # To mypy, a class whose instances are hashed by their fields cannot be hashed itself.
    return _own_fields(event)  # type: ignore[arg-type]


@cache
def _own_fields(event: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(event)
    return {each.name: hints[each.name] for each in fields(event) if each.name not in ENVELOPE}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _from_json(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if kind in (UUID, UUID | None):
        return UUID(value)
    return datetime.fromisoformat(value) if kind is datetime else value
