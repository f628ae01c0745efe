"""What a view is handed: who is calling, about what, at which time, in which transaction; and which roles there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Select

from workflows.errors import DomainError
from workflows.identity.actor import Actor, Claim
from workflows.records import Record

Found = TypeVar("Found")


@dataclass(frozen=True)
class Call(Generic[Found]):
    """One request, after everything that could refuse it before its body was read.

    Args:
        subject: the record that the path names; None for a path that names none.
        now: when the request came, in UTC.
    """

    db: Connection
    actor: Actor
    subject: Found
    now: datetime


@dataclass(frozen=True)
class Role:
    """Who may use a route at all, whatever it is about.

    Args:
        needed: the sentence with which everybody else is refused.
        held: whether a claim has the role.
    """

    needed: str
    held: Callable[[Claim], bool]


def _is_operator(claim: Claim) -> bool:
    return claim.operator is not None


def _is_mentor(claim: Claim) -> bool:
    return not _is_operator(claim) and claim.mentor_profile_id is not None


ANYONE = Role("Sign in.", lambda _claim: True)
PERSON = Role("Only people with an account do this; operators have none.", lambda claim: not _is_operator(claim))
MENTOR = Role("Only a mentor does this: act with the mentor's own id, not the user's alone.", _is_mentor)
OPERATOR = Role("Only an operator does this.", _is_operator)
OPERATOR_OR_MENTOR = Role(
    "Only an operator or a mentor does this.", lambda claim: _is_operator(claim) or _is_mentor(claim)
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a path names, and who may come near it.

    Args:
        name: in one word, for sentences.
        query: selects it by the id in the path.
        record: what a row of `query` becomes.
        access: refuses whoever has nothing to do with it; None where everybody signed in may see it.
        absent: the refusal for an id that is not there, where that is more than "no such".
    """

    name: str
    query: Callable[[UUID], Select[Any]]
    record: type[Record]
    access: Callable[[Actor, Any], None] | None = None
    absent: Callable[[Connection, Actor, UUID], DomainError] | None = None


def this_moment() -> datetime:
    """The one clock of the API: rules below take the time as `now`."""
    return datetime.now(UTC)
