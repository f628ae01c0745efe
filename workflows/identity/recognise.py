"""Look up who is calling, together with what they call about: one statement answers both."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, Subquery, and_, null, select, true

from models.people import mentor_profiles, users
from workflows.errors import Unauthenticated
from workflows.identity.actor import Actor, Claim


def recognise(db: Connection, claim: Claim, also: Select[Any] | None = None) -> tuple[Actor, list[Row[Any]]]:
    """Turn a claim into an actor, and read what the request is about in the same statement.

    Args:
        claim: what the caller's credentials say.
        also: a select of what the request names or lists; None where it names nothing.

    Returns:
        The actor, and the rows of `also` in its order; each is preceded by the caller's columns, which records ignore.

    Raises:
        Unauthenticated: no such user, no such active mentor profile, or the profile is somebody else's.
    """
    if claim.operator is not None:
        return _operator(claim.operator), list(db.execute(also)) if also is not None else []
    rows = db.execute(_with_caller(caller_query(claim), also)).all()
    if not rows:
        raise Unauthenticated("The caller is not a known user or active mentor.")
    found = [row for row in rows if also is not None and row.is_there]
    return Actor.person(rows[0].caller_user_id, rows[0].caller_mentor_profile_id), found


def caller_query(claim: Claim) -> Subquery:
    """The caller as one row of `caller_user_id` and `caller_mentor_profile_id`, or none for somebody unknown."""
    if claim.mentor_profile_id is None:
        query = select(users.c.id.label("caller_user_id"), null().label("caller_mentor_profile_id")).where(
            users.c.id == claim.user_id
        )
    else:
        theirs = true() if claim.user_id is None else mentor_profiles.c.user_id == claim.user_id
        query = select(
            mentor_profiles.c.user_id.label("caller_user_id"), mentor_profiles.c.id.label("caller_mentor_profile_id")
        ).where(and_(mentor_profiles.c.id == claim.mentor_profile_id, mentor_profiles.c.active, theirs))
    return query.subquery("caller")


def _with_caller(caller: Subquery, also: Select[Any] | None) -> Select[Any]:
    if also is None:
        return select(caller)
    # A left join without a condition can only be a nested loop over the caller's one row, and keeps the order inside.
    subject = also.add_columns(true().label("is_there")).subquery("subject")
    return select(caller, subject).select_from(caller.outerjoin(subject, true()))


def _operator(name: str) -> Actor:
    return Actor(operator=True, name=f"operator:{name}")
