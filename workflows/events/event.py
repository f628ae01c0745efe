"""Events: the base of every type, how an event is stored and read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self, cast, get_type_hints
from uuid import UUID

from uuid_utils.compat import uuid7

from workflows.identity.actor import Actor
from workflows.kernel.records import Record

ENVELOPE = frozenset({"id", "actor", "occurred_at", "sequence", "traceparent"})
# All types by name, found once by `event_types()`: each claimed delivery looks its event's type up.
FOUND_TYPES: dict[str, type[Event]] = {}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to one subject. Subclasses add the data; times are UTC.

    `announced`: whether webhook endpoints can subscribe to the type. `sequence` is the database's, and None until the
    event has been read back. `traceparent` names the span of its recording, or for an effect of its delivery.
    """

    type: ClassVar[str] = "*"
    subject: ClassVar[str] = ""
    announced: ClassVar[bool] = True

    id: UUID = field(default_factory=uuid7)
    actor: str
    occurred_at: datetime
    sequence: int | None = None
    traceparent: str | None = None

    def __init_subclass__(cls, *, type: str = "", subject: str = "", announced: bool | None = None) -> None:
        """Set what a class statement names, and inherit the rest."""
        cls.type, cls.subject = type or cls.type, subject or cls.subject
        cls.announced = cls.announced if announced is None else announced
        # A plug-in brings types of its own.
        FOUND_TYPES.clear()

    @property
    def subject_id(self) -> UUID:
        identifier: UUID = getattr(self, f"{self.subject}_id")
        return identifier

    def data(self) -> dict[str, Any]:
        return {name: _as_json(getattr(self, name)) for name in own_fields(type(self))}

    @classmethod
    def about(cls, record: Record, *, actor: Actor, now: datetime, **besides: Any) -> Self:
        """The event about `record`, which is the row after the transition.

        The record's id is the event's `…_id`; every other field of the event has the name of one of the record's.

        Args:
            besides: fields of the event that the record does not have.
        """
        subject_id = f"{cls.subject}_id"
        of_record = [name for name in own_fields(cls) if name not in besides]
        values = {name: getattr(record, "id" if name == subject_id else name) for name in of_record}
        return cls(actor=actor.name, occurred_at=now, **values, **besides)

    @classmethod
    def read(cls, *, id: UUID, actor: str, occurred_at: datetime, sequence: int, data: dict[str, Any]) -> Self:
        """The event that was stored; fields that a newer writer added are ignored."""
        own = {name: _from_json(kind, data.get(name)) for name, kind in own_fields(cls).items() if name in data}
        trace = data.get("traceparent")
        return cls(id=id, actor=actor, occurred_at=occurred_at, sequence=sequence, traceparent=trace, **own)


def _own_fields(event: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(event)
    return {each.name: hints[each.name] for each in fields(event) if each.name not in ENVELOPE}


# The types of an event's own fields by name. To mypy, a class whose instances are hashed by fields cannot be hashed.
own_fields = cast(Callable[[type[Event]], dict[str, Any]], cache(_own_fields))


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _from_json(kind: object, value: Any) -> Any:
    if value is None:
        return None
    if kind in (UUID, UUID | None):
        return UUID(value)
    return datetime.fromisoformat(value) if kind in (datetime, datetime | None) else value
