"""Publish a mentor profile: a user becomes somebody who can be booked."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, insert, select
from uuid_utils.compat import uuid7

from models.people import mentor_profiles, users
from workflows.clock import zone
from workflows.errors import Forbidden, NotFound
from workflows.identity.actor import Actor
from workflows.identity.people import Mentor


def publish_mentor_profile(
    db: Connection,
    *,
    actor: Actor,
    user_id: UUID,
    headline: str,
    bio: str | None,
    time_zone: str | None,
    skills: list[str],
) -> Mentor:
    """Write the profile; skills are kept in lower case, once each.

    Args:
        user_id: whose profile it is: the caller's own, unless an operator writes it.
        time_zone: an IANA name, or None for the user's.

    Raises:
        Forbidden: somebody else's profile.
        NotFound: no such user.
        Invalid: no such time zone.
    """
    if not actor.operator and actor.user_id != user_id:
        raise Forbidden("A mentor profile is published by its own user or by an operator.")
    owner = db.execute(select(users.c.name, users.c.time_zone).where(users.c.id == user_id)).one_or_none()
    if owner is None:
        raise NotFound("There is no such user.")
    row = db.execute(
        insert(mentor_profiles)
        .values(
            id=uuid7(),
            user_id=user_id,
            headline=headline,
            bio=bio,
            time_zone=zone(time_zone or owner.time_zone).key,
            skills=list(dict.fromkeys(skill.strip().lower() for skill in skills)),
        )
        .returning(*Mentor.columns())
    ).one()
    return Mentor(name=owner.name, **row._mapping)
