"""Users and mentor profiles."""

from __future__ import annotations

from typing import Any

from api.blueprints import Area, refuses, versioned
from api.context import ANYONE, OPERATOR, PERSON, RequestContext, Subject
from api.etags import tagged
from api.lists import lists
from api.loaders import changes, reads
from api.schemas import people as shapes
from workflows.errors import Forbidden, Invalid
from workflows.identity.actor import Actor
from workflows.identity.people import MENTORS, Mentor, User, mentor_query, user_query
from workflows.identity.publish_mentor_profile import publish_mentor_profile
from workflows.identity.register_user import register_user

users = Area("Users", "People with an account, and who is calling.")
mentors = Area("Mentors", "Mentor profiles: who can be booked.")


def oneself(actor: Actor, user: User) -> None:
    """Refuse everybody but the person and operators.

    Raises:
        Forbidden: somebody else's account.
    """
    if not actor.operator and actor.user_id != user.id:
        raise Forbidden("Only the person and operators see this account.")


USER = Subject(name="user", query=user_query, record=User, access=oneself)
MENTOR_PROFILE = Subject(name="mentor", query=mentor_query, record=Mentor)


@users.route("/users", methods=["POST"])
@refuses("email_taken")
@changes(OPERATOR)
@users.arguments(shapes.NewUser)
@users.response(201, shapes.User)
def create_user(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Register a user.

    Operators register people on behalf of the identity provider; mail addresses are unique however they are written.
    """
    user = register_user(context.db, actor=context.actor, **body)
    return _tagged(user, Location=f"/users/{user.id}")


@users.route("/users/<id:user_id>")
@versioned
@reads(ANYONE, USER)
@users.response(200, shapes.User)
def get_user(context: RequestContext[User]) -> Any:
    """Read an account."""
    return _tagged(context.subject)


@users.route("/me")
@versioned
@reads(PERSON)
@users.response(200, shapes.User)
def get_me(context: RequestContext[None]) -> Any:
    """Read the caller's own account."""
    assert context.actor.user_id is not None
    return _tagged(User.of(context.db.execute(user_query(context.actor.user_id)).one()))


@mentors.route("/mentor-profiles", methods=["POST"])
@refuses("forbidden", "not_found", "profile_exists")
@changes(ANYONE)
@mentors.arguments(shapes.NewMentorProfile)
@mentors.response(201, shapes.MentorProfile)
def create_mentor_profile(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Publish a mentor profile.

    For oneself, or by an operator for `userId`. Skills are kept in lower case.
    """
    user_id = body.pop("user_id", None) or context.actor.user_id
    if user_id is None:
        raise Invalid("An operator says whose profile it is.", details={"userId": ["Must be given by operators."]})
    mentor = publish_mentor_profile(context.db, actor=context.actor, user_id=user_id, **body)
    return tagged(mentor, Location=f"/mentors/{mentor.id}")


@mentors.route("/mentors")
@mentors.response(200, shapes.MentorProfiles)
@lists(ANYONE, MENTORS, shapes.MentorFilters)
def list_mentors(_context: RequestContext[None], *, skill: str | None = None) -> dict[str, Any]:
    """List active mentors, the newest first."""
    # However it is written: skills are stored in lower case.
    return {"skills": None if skill is None else [skill.strip().lower()]}


@mentors.route("/mentors/<id:mentor_profile_id>")
@versioned
@reads(ANYONE, MENTOR_PROFILE)
@mentors.response(200, shapes.MentorProfile)
def get_mentor(context: RequestContext[Mentor]) -> Any:
    """Read a mentor's profile."""
    return tagged(context.subject)


def _tagged(user: User, **headers: str) -> Any:
    # A profile of theirs changes what is shown of users, and not their own row.
    return tagged(user, view=user.mentor_profile_id, **headers)
