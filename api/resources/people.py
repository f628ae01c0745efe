"""Users and mentor profiles."""

from __future__ import annotations

from typing import Any

from api import examples
from api.blueprints import Area, refuses, versioned
from api.context import ANYONE, OPERATOR, PERSON, RequestContext, Subject
from api.etags import cacheable, tagged
from api.lists import list_route
from api.loaders import changes, reads
from api.schemas import people as shapes
from api.schemas.base import ListQuery
from workflows.catalog.mentors import SKILLS, MentorSort, mentors_list
from workflows.errors import Forbidden, Invalid
from workflows.identity.actor import Actor
from workflows.identity.people import (
    Mentor,
    User,
    mentor_query,
    publish_mentor_profile,
    register_user,
    user_query,
)
from workflows.paging import PagedList

users = Area("Users", "User accounts.")
mentors = Area("Mentors", "Mentor profiles.")


def require_self(actor: Actor, user: User) -> None:
    """Require the user themselves or an operator.

    Raises:
        Forbidden: another user's account.
    """
    if not actor.operator and actor.user_id != user.id:
        raise Forbidden("You can only access your own account.")


USER = Subject(name="user", query=user_query, record=User, access=require_self)
MENTOR_PROFILE = Subject(name="mentor", query=mentor_query, record=Mentor)


@users.route("/users", methods=["POST"])
@refuses("email_taken")
@changes(OPERATOR)
@users.arguments(shapes.NewUser)
@users.response(201, shapes.User)
def create_user(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Create a user.

    For operators, on behalf of the identity provider. Mail addresses are unique regardless of case.
    """
    user = register_user(context.db, actor=context.actor, **body)
    return _tagged(user, Location=f"/users/{user.id}")


@users.route("/users/<id:user_id>")
@versioned
@reads(ANYONE, USER)
@users.response(200, shapes.User)
def get_user(context: RequestContext[User]) -> Any:
    """Get a user."""
    return _tagged(context.subject)


@users.route("/me")
@versioned
@reads(PERSON)
@users.response(200, shapes.User)
def get_me(context: RequestContext[None]) -> Any:
    """Get the caller's user account."""
    assert context.actor.user_id is not None
    return _tagged(User.of(context.db.execute(user_query(context.actor.user_id)).one()))


@mentors.route("/mentor-profiles", methods=["POST"])
@refuses("forbidden", "not_found", "profile_exists")
@changes(ANYONE)
@mentors.arguments(shapes.NewMentorProfile)
@mentors.response(201, shapes.MentorProfile)
def create_mentor_profile(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Create a mentor profile.

    For the caller or, by operators, for `userId`. Skills are stored in lower case.
    """
    user_id = body.pop("user_id", None) or context.actor.user_id
    if user_id is None:
        raise Invalid("As an operator, name the user.", details={"userId": ["Required for operators."]})
    mentor = publish_mentor_profile(context.db, actor=context.actor, user_id=user_id, **body)
    return tagged(mentor, Location=f"/mentors/{mentor.id}")


def _mentors_list(filters: dict[str, Any]) -> PagedList[Any]:
    return mentors_list(filters.get("sort"), searched=bool(filters.get("q")))


@mentors.route("/mentors")
@cacheable
@mentors.response(200, shapes.MentorProfiles)
@list_route(ANYONE, _mentors_list, shapes.MentorFilters)
def list_mentors(context: RequestContext[None], sort: MentorSort | None = None, **filters: Any) -> dict[str, Any]:
    """List active mentors, newest first unless `sort` or `q` says otherwise.

    `courseId`, `maxPrice`, `currency` and `durationMinutes` are about one active listing for which all of them hold.
    """
    return {**filters, "now": context.now} if sort is MentorSort.NEXT else filters


@mentors.route("/skills")
@cacheable
@mentors.response(200, shapes.Skills, example=examples.page(examples.SKILL))
@list_route(ANYONE, SKILLS, ListQuery)
def list_skills(_context: RequestContext[None]) -> dict[str, Any]:
    """List the skills of active mentors with how many have them, the commonest first."""
    return {}


@mentors.route("/mentors/<id:mentor_profile_id>")
@cacheable
@reads(ANYONE, MENTOR_PROFILE)
@mentors.response(200, shapes.MentorProfile)
def get_mentor(context: RequestContext[Mentor]) -> Any:
    """Get a mentor profile."""
    return tagged(context.subject)


def _tagged(user: User, **headers: str) -> Any:
    # A mentor profile changes the representation of its user, but not the user's row.
    return tagged(user, view=user.mentor_profile_id, **headers)
