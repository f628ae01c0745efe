"""Authenticate: look up the user or mentor whom a caller's credentials name."""

from __future__ import annotations

from sqlalchemy import Connection, Uuid, bindparam, select

from models.people import mentor_profiles, users
from workflows.errors import Unauthenticated
from workflows.identity.actor import Actor, Claim

USER = select(users.c.id).where(users.c.id == bindparam("id", type_=Uuid))
ACTIVE_MENTOR = select(mentor_profiles.c.user_id).where(
    mentor_profiles.c.id == bindparam("id", type_=Uuid), mentor_profiles.c.active
)


def authenticate(db: Connection, claim: Claim) -> Actor:
    """Turn a claim into an actor, by one statement; an operator needs none.

    Raises:
        Unauthenticated: no such user, no such active mentor profile, or the profile is somebody else's.
    """
    if claim.operator is not None:
        return Actor(operator=True, name=f"operator:{claim.operator}")
    if claim.mentor_profile_id is None:
        user_id = db.execute(USER, {"id": claim.user_id}).scalar()
    else:
        user_id = db.execute(ACTIVE_MENTOR, {"id": claim.mentor_profile_id}).scalar()
        if claim.user_id not in (None, user_id):
            user_id = None
    if user_id is None:
        raise Unauthenticated("The caller is not a known user or active mentor.")
    return Actor.person(user_id, claim.mentor_profile_id)
