"""The actor of a request: what the credentials claim, and the user, mentor or operator that they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, select

from models.people import mentor_profiles, users
from models.prepared import PreparedStatement
from workflows.kernel.errors import Unauthenticated


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The ids in the caller's credentials: verified, but not yet looked up.

    A mentor's id alone stands for the profile's user too. An operator comes from the identity provider, under any
    name, and needs no row in users.
    """

    user_id: UUID | None = None
    mentor_profile_id: UUID | None = None
    operator: str | None = None
    # A publishable key, by name; empty where the catalogue is open to callers without credentials.
    visitor: str | None = None
    newcomer: Mapping[str, Any] | None = None  # the token's claims, where an account may be made of them
    # When the token ends, in seconds since 1970; None for other credentials.
    expires_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """An authenticated caller: the user and the mentor exist, and the mentor is the user's own.

    A mentor whose profile is not `active` finishes what is booked, and sells nothing new. A visitor has no account and
    has not signed in, and reads what is public.
    """

    user_id: UUID | None = None
    mentor_profile_id: UUID | None = None
    operator: bool = False
    visitor: bool = False
    active: bool = True
    name: str

    @classmethod
    def person(cls, user_id: UUID, mentor_profile_id: UUID | None, *, active: bool = True) -> Actor:
        """A user, who acts as a mentor exactly when `mentor_profile_id` is given."""
        name = f"mentor:{mentor_profile_id}" if mentor_profile_id else f"user:{user_id}"
        return cls(user_id=user_id, mentor_profile_id=mentor_profile_id, active=active, name=name)


SYSTEM = Actor(name="system")
_OPERATORS = "operator:"
USER = PreparedStatement(
    select(users.c.id.label("user_id")).where(users.c.id == bindparam("id", type_=Uuid), users.c.erased_at.is_(None))
)
MENTOR = PreparedStatement(
    select(mentor_profiles.c.user_id, mentor_profiles.c.active)
    .join(users, users.c.id == mentor_profiles.c.user_id)
    .where(mentor_profiles.c.id == bindparam("id", type_=Uuid), users.c.erased_at.is_(None))
)
ACTIVE_MENTOR = PreparedStatement(
    select(mentor_profiles.c.user_id).where(
        mentor_profiles.c.id == bindparam("id", type_=Uuid), mentor_profiles.c.active
    )
)


def is_operators(actor: str) -> bool:
    return actor.startswith(_OPERATORS)


def authenticate(db: Connection, claim: Claim) -> Actor:
    """Turn a claim into an actor by one statement; operators and visitors need none.

    Raises:
        Unauthenticated: no such user, or one whose account is erased; no such mentor profile, or another user's.
    """
    if claim.operator is not None:
        return Actor(operator=True, name=f"{_OPERATORS}{claim.operator}")
    if claim.visitor is not None:
        return Actor(visitor=True, name=f"visitor:{claim.visitor}" if claim.visitor else "visitor")
    if claim.mentor_profile_id is None:
        found = USER.one_or_none(db, {"id": claim.user_id})
    else:
        found = MENTOR.one_or_none(db, {"id": claim.mentor_profile_id})
        if found is not None and claim.user_id not in (None, found["user_id"]):
            found = None
    if found is None:
        raise Unauthenticated("The caller is not a known user or mentor.")
    return Actor.person(found["user_id"], claim.mentor_profile_id, active=found.get("active", True))
