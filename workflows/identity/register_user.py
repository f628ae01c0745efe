"""Register a user: an account, made by an operator on behalf of the identity provider."""

from __future__ import annotations

from sqlalchemy import Connection, insert
from uuid_utils.compat import uuid7

from models.people import users
from workflows.clock import zone
from workflows.errors import Forbidden
from workflows.identity.actor import Actor
from workflows.identity.people import User


def register_user(db: Connection, *, actor: Actor, email: str, name: str, time_zone: str) -> User:
    """Write the account.

    Args:
        email: where mails go; unique however it is written.
        time_zone: an IANA name; the person's times are shown in it.

    Raises:
        Forbidden: only operators register users.
        Invalid: no such time zone.
    """
    if not actor.operator:
        raise Forbidden("Only an operator registers users.")
    zone(time_zone)
    row = db.execute(
        insert(users).values(id=uuid7(), email=email, name=name, time_zone=time_zone).returning(*User.columns())
    ).one()
    return User(mentor_profile_id=None, **row._mapping)
