"""The context of a request: its caller, its subject, its time and its transaction; and what routes declare."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import signature
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Date, Select, Text, Uuid, bindparam

from models.prepared import PreparedStatement
from workflows.identity.access import (
    ANYONE,
    MENTOR,
    OPERATOR,
    OPERATOR_IN_PERSON,
    OPERATOR_OR_MENTOR,
    PERSON,
    VISITOR,
    Role,
    require_role,
)
from workflows.identity.actor import Actor
from workflows.kernel.errors import DomainError
from workflows.kernel.records import Record

# Routes take the roles from here, with the context and the subject.
__all__ = [
    "ANYONE",
    "MENTOR",
    "OPERATOR",
    "OPERATOR_IN_PERSON",
    "OPERATOR_OR_MENTOR",
    "PERSON",
    "VISITOR",
    "RequestContext",
    "Role",
    "Subject",
    "require_role",
    "this_moment",
]

Found = TypeVar("Found", covariant=True)


@dataclass(frozen=True)
class RequestContext(Generic[Found]):
    """One request, after everything that could refuse it before its body was read."""

    db: Connection
    actor: Actor
    subject: Found  # the record that the path names; None for a path that names none
    now: datetime  # when the request came, in UTC
    any_version: bool  # whether If-Match names no version, so that the change is of the present one


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The thing that a path names, with its statement and its guard."""

    name: str  # in one word, for sentences
    record: type[Record]  # what a row of `query` becomes
    # Selects it by the ids and dates in the path, in their order, the one it belongs to first; called once, with bind
    # parameters in their place. Without one, by the id of `record`.
    query: Callable[..., Select[Any]] | None = None
    kind: str = ""  # what the audit calls it; its name when left out
    dates: tuple[str, ...] = ()  # the parameters of `query` that are dates
    texts: tuple[str, ...] = ()  # the parameters of `query` that are texts
    # A guard of workflows/identity/access.py; None where every signed-in actor has it.
    access: Callable[[Actor, Any], None] | None = None
    # The refusal for an id that is not there, where that is more than "no such".
    absent: Callable[[Connection, Actor, UUID], DomainError] | None = None
    ids: tuple[str, ...] = field(init=False)
    statement: PreparedStatement = field(init=False)

    def __post_init__(self) -> None:
        query = self.query or self.record.by_id
        names = tuple(signature(query).parameters)
        types = dict.fromkeys(self.dates, Date) | dict.fromkeys(self.texts, Text)
        bound: list[Any] = [bindparam(name, type_=types.get(name, Uuid)) for name in names]
        object.__setattr__(self, "kind", self.kind or self.name.replace(" ", "_"))
        object.__setattr__(self, "ids", names)
        object.__setattr__(self, "statement", PreparedStatement(query(*bound)))


def this_moment() -> datetime:
    """The one clock of the API: rules below take the time as `now`."""
    return datetime.now(UTC)
