"""Users and mentor profiles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from api.blueprints import Area, refuses, versioned
from api.calls import ANYONE, OPERATOR, PERSON, Call, Subject
from api.etags import tagged
from api.lists import NEWEST_FIRST, lists
from api.loaders import changes, reads
from api.schemas import people as shapes
from workflows.errors import Forbidden, Invalid
from workflows.identity.actor import Actor, Claim
from workflows.identity.people import Mentor, User, mentor_query, mentors_query, user_query
from workflows.identity.publish_mentor_profile import publish_mentor_profile
from workflows.identity.register_user import register_user
from workflows.paging import Page

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
def create_user(call: Call[None], body: dict[str, Any]) -> Any:
    """Register a user.

    Operators register people on behalf of the identity provider; mail addresses are unique however they are written.
    """
    user = register_user(call.db, actor=call.actor, **body)
    return _tagged(user, Location=f"/users/{user.id}")


@users.route("/users/<id:user_id>")
@versioned
@reads(ANYONE, USER)
@users.response(200, shapes.User)
def get_user(call: Call[User]) -> Any:
    """Read an account."""
    return _tagged(call.subject)


@users.route("/me")
@versioned
@reads(PERSON)
@users.response(200, shapes.User)
def get_me(call: Call[None]) -> Any:
    """Read the caller's own account."""
    assert call.actor.user_id is not None
    return _tagged(User.of(call.db.execute(user_query(call.actor.user_id)).one()))


@mentors.route("/mentor-profiles", methods=["POST"])
@refuses("forbidden", "not_found", "profile_exists")
@changes(ANYONE)
@mentors.arguments(shapes.NewMentorProfile)
@mentors.response(201, shapes.MentorProfile)
def create_mentor_profile(call: Call[None], body: dict[str, Any]) -> Any:
    """Publish a mentor profile.

    For oneself, or by an operator for `userId`. Skills are kept in lower case.
    """
    user_id = body.pop("user_id", None) or call.actor.user_id
    if user_id is None:
        raise Invalid("An operator says whose profile it is.", details={"userId": ["Must be given by operators."]})
    mentor = publish_mentor_profile(call.db, actor=call.actor, user_id=user_id, **body)
    return tagged(mentor, Location=f"/mentors/{mentor.id}")


@mentors.route("/mentors")
@mentors.response(200, shapes.MentorProfiles)
@lists(ANYONE, Mentor, shapes.MentorFilters, NEWEST_FIRST)
def list_mentors(_claim: Claim, page: Page, *, skill: str | None = None) -> Select[Any]:
    """List active mentors, the newest first."""
    return mentors_query(page, skill=skill)


@mentors.route("/mentors/<id:mentor_profile_id>")
@versioned
@reads(ANYONE, MENTOR_PROFILE)
@mentors.response(200, shapes.MentorProfile)
def get_mentor(call: Call[Mentor]) -> Any:
    """Read a mentor's profile."""
    return tagged(call.subject)


def _tagged(user: User, **headers: str) -> Any:
    # A profile of theirs changes what is shown of users, and not their own row.
    return tagged(user, view=user.mentor_profile_id, **headers)
