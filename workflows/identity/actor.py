"""The actor of a request: what the credentials claim, and the user, mentor or operator that they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, LargeBinary, Uuid, and_, bindparam, func, or_, select

from models.keys import api_keys
from models.people import mentor_profiles, users
from models.prepared import PreparedStatement
from workflows.kernel.errors import Blocked, NotFound, Unauthenticated

# Of a token's claims, those that an account is made of and kept up to date by.
ACCOUNT_CLAIMS = ("email", "name", "locale")


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
    external_id: str | None = None  # the marketplace's id of the user, where tokens have that
    claims: Mapping[str, Any] | None = field(default=None, compare=False)  # of the token
    key_digest: bytes | None = None  # of an API key
    may_provision: bool = False  # whether an account may be made of the claims
    # When the token ends, in seconds since 1970; None for other credentials.
    expires_at: float | None = field(default=None, compare=False)

    @cached_property
    def account(self) -> list[Any]:
        """The account data in the token's claims, without a mail address that is not verified."""
        claims = self.claims or {}
        is_verified = claims.get("email_verified") is True
        return [claims.get(name) if name != "email" or is_verified else None for name in ACCOUNT_CLAIMS]

    @cached_property
    def account_digest(self) -> bytes:
        return sha256(json.dumps(self.account).encode()).digest()


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
    # Of an API key, which may do no more; None for everybody else.
    scopes: frozenset[str] | None = None
    purchases: bool = True  # whether this person may book what costs; where not, staff do it for them
    # The name of the operator or the key that acts for this person.
    staff: str | None = None
    # Of the claims that the account was last written by, and when their token was issued.
    claims_digest: bytes | None = field(default=None, compare=False, repr=False)
    claims_at: datetime | None = field(default=None, compare=False, repr=False)

    @classmethod
    def person(cls, user_id: UUID, mentor_profile_id: UUID | None, **more: Any) -> Actor:
        """A user, who acts as a mentor exactly when `mentor_profile_id` is given."""
        name = f"mentor:{mentor_profile_id}" if mentor_profile_id else f"user:{user_id}"
        return cls(user_id=user_id, mentor_profile_id=mentor_profile_id, name=name, **more)


SYSTEM = Actor(name="system")
# Confirms what was paid at its pages, and refunds that alone.
STRIPE = Actor(name="stripe")
_OPERATORS = "operator:"
_KEYS = "key:"
_OF_USER = (users.c.external_id, users.c.blocked_at, users.c.claims_digest, users.c.claims_at)
_USER = select(users.c.id.label("user_id"), *_OF_USER).where(users.c.erased_at.is_(None))
USER = PreparedStatement(_USER.where(users.c.id == bindparam("id", type_=Uuid)))
USER_BY_EXTERNAL_ID = PreparedStatement(_USER.where(users.c.external_id == bindparam("external_id")))
MENTOR = PreparedStatement(
    select(mentor_profiles.c.user_id, mentor_profiles.c.active, *_OF_USER)
    .join(users, users.c.id == mentor_profiles.c.user_id)
    .where(mentor_profiles.c.id == bindparam("id", type_=Uuid), users.c.erased_at.is_(None))
)
_KEY = api_keys.c
_DIGEST = bindparam("digest", type_=LargeBinary)
API_KEY = PreparedStatement(
    select(_KEY.id, _KEY.scopes).where(
        or_(_KEY.digest == _DIGEST, and_(_KEY.former_digest == _DIGEST, _KEY.former_until > func.now())),
        or_(_KEY.expires_at.is_(None), _KEY.expires_at > func.now()),
    )
)
_PERSON = (
    select(users.c.id, mentor_profiles.c.id.label("mentor_profile_id"), mentor_profiles.c.active)
    .select_from(users.outerjoin(mentor_profiles, mentor_profiles.c.user_id == users.c.id))
    .where(users.c.erased_at.is_(None))
)
PERSON = PreparedStatement(_PERSON.where(users.c.id == bindparam("id", type_=Uuid)))
PERSON_BY_EXTERNAL_ID = PreparedStatement(_PERSON.where(users.c.external_id == bindparam("external_id")))
ACTIVE_MENTOR = PreparedStatement(
    select(mentor_profiles.c.user_id).where(
        mentor_profiles.c.id == bindparam("id", type_=Uuid), mentor_profiles.c.active
    )
)


def is_operators(actor: str) -> bool:
    return actor.startswith((_OPERATORS, _KEYS))


def authenticate(db: Connection, claim: Claim) -> Actor:
    """Turn a claim into an actor by one statement; operators and visitors need none.

    Raises:
        Blocked: the account is blocked.
        Unauthenticated: no such user, or one whose account is erased; no such mentor profile, or another user's.
    """
    if claim.operator is not None:
        return Actor(operator=True, name=f"{_OPERATORS}{claim.operator}")
    if claim.key_digest is not None:
        key = API_KEY.one_or_none(db, {"digest": claim.key_digest})
        if key is None:
            raise Unauthenticated("There is no such key, or it has expired.")
        return Actor(operator=True, name=f"{_KEYS}{key['id']}", scopes=frozenset(key["scopes"]))
    if claim.visitor is not None:
        return Actor(visitor=True, name=f"visitor:{claim.visitor}" if claim.visitor else "visitor")
    if claim.mentor_profile_id is not None:
        found = MENTOR.one_or_none(db, {"id": claim.mentor_profile_id})
    elif claim.external_id is not None:
        found = USER_BY_EXTERNAL_ID.one_or_none(db, {"external_id": claim.external_id})
    else:
        found = USER.one_or_none(db, {"id": claim.user_id})
    if (
        found is None
        or claim.user_id not in (None, found["user_id"])
        or claim.external_id not in (None, found["external_id"])
    ):
        raise Unauthenticated("The caller is not a known user or mentor.")
    if found["blocked_at"] is not None:
        raise Blocked(code="blocked")
    return Actor.person(
        found["user_id"],
        claim.mentor_profile_id,
        active=found.get("active", True),
        claims_digest=found["claims_digest"],
        claims_at=found["claims_at"],
    )


def person_for(db: Connection, staff: Actor, *, user_id: UUID | None = None, external_id: str | None = None) -> Actor:
    """The person for whom an operator or a key acts, with their mentor profile if they have one.

    Raises:
        NotFound: no such user, or one whose account is erased.
    """
    if external_id is not None:
        found = PERSON_BY_EXTERNAL_ID.one_or_none(db, {"external_id": external_id})
    else:
        found = PERSON.one_or_none(db, {"id": user_id})
    if found is None:
        raise NotFound("There is no such user to act for.")
    return Actor.person(found["id"], found["mentor_profile_id"], active=found["active"] is not False, staff=staff.name)
