"""Users and mentor profiles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Response, request

from api.export import Export
from api.http.etags import WithHeaders, cacheable, require_match, tagged
from api.limits.hooks import charge
from api.openapi.examples import example_of
from api.routes.blueprints import IF_MATCH, Area, accepts_headers, refuses, versioned
from api.routes.context import ANYONE, OPERATOR, PERSON, VISITOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import people as shapes
from api.schemas import privacy as privacy_shapes
from api.schemas.base import EmptyBody, ListQuery
from api.state import app_state
from workflows.accounts.actions import (
    change_mentor_profile,
    change_user,
    change_user_as_staff,
    locked_user,
    publish_mentor_profile,
    register_user,
)
from workflows.accounts.blocks import BLOCKS, Block, BlockOwner, block, block_owner_query, block_query, lift_block
from workflows.accounts.email_change import request_email_change
from workflows.accounts.mailed_links import end_links
from workflows.accounts.records import USERS, Mentor, User, profile_of_user_query, time_zone_of
from workflows.catalog.mentors import (
    FREE_MENTORS,
    SKILLS,
    Include,
    MentorSort,
    SlotCaller,
    mentors_list,
    with_listings,
    with_slots,
)
from workflows.identity.access import require_mentor_or_operator, require_own_profile, require_self
from workflows.kernel.errors import Invalid
from workflows.kernel.paging import PagedList
from workflows.privacy.deletion import delete_account, open_things_of


@dataclass(frozen=True, kw_only=True)
class UserOfStaff(User):
    """A user with the ids of what they have open."""

    open: dict[str, list[str]]


# A page of mentors with their first slots takes as long as so many requests.
PAGE_OF_SLOTS_COST = 5
# What is kept of a person with 600 notifications takes 0.4 s, and grows with what they do.
EXPORT_COST = 30
# As many listings as a page of them has.
LISTINGS_PER_REQUEST = 100
users = Area("Users", "User accounts.")
mentors = Area("Mentors", "Mentor profiles.")


USER = Subject(name="user", record=User, access=require_self)
BLOCKED_BY = Subject(
    name="mentor", kind="mentor_profile", query=block_owner_query, record=BlockOwner, access=require_mentor_or_operator
)
BLOCK = Subject(name="block", query=block_query, record=Block, access=require_mentor_or_operator)
MENTOR_PROFILE = Subject(name="mentor", kind="mentor_profile", record=Mentor)
OWN_PROFILE = replace(MENTOR_PROFILE, access=require_own_profile)


@users.route("/users", methods=["POST"])
@refuses("email_taken", "external_id_taken")
@changes(OPERATOR, action="user.created")
@users.arguments(shapes.NewUser)
@users.response(201, shapes.User)
def create_user(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[User]:
    """Create a user.

    For operators, on behalf of the identity provider. Mail addresses are unique regardless of case.
    """
    user = register_user(context.db, actor=context.actor, **{"locale": app_state().settings.default_locale, **body})
    return tagged(user, Location=f"/users/{user.id}")


@users.route("/users")
@users.response(200, shapes.Users)
@list_route(OPERATOR, USERS, shapes.UserFilters)
def list_users(_context: RequestContext[None], **filters: Any) -> dict[str, Any]:
    """List users, newest first."""
    return filters


@users.route("/users/<id:user_id>", methods=["PATCH"])
@refuses("email_taken", "external_id_taken")
@changes(OPERATOR, USER, action="user.changed_by_staff")
@users.arguments(shapes.UserChangesByStaff, example={"state": "blocked"})
@users.response(200, shapes.UserWithOpenThings, example=example_of(shapes.UserWithOpenThings, state="blocked"))
def update_user(context: RequestContext[User], body: dict[str, Any]) -> WithHeaders[UserOfStaff]:
    """Change a user, or block them: their tokens, links and live updates are refused with 403 `blocked`.

    What is open when a user is blocked stays, and is listed in `open`: staff end it, acting for the user.
    """
    user = locked_user(context.db, context.subject.id)
    if not context.any_version:
        require_match(request, user)
    state = body.pop("state", None)
    changed = change_user_as_staff(
        context.db, actor=context.actor, user=user, changes=body, state=state, now=context.now
    )
    return tagged(UserOfStaff(**vars(changed), open=open_things_of(context.db, user_id=user.id, now=context.now)))


@users.route("/users/<id:user_id>")
@versioned
@reads(ANYONE, USER)
@users.response(200, shapes.User)
def get_user(context: RequestContext[User]) -> WithHeaders[User]:
    """Get a user."""
    return tagged(context.subject)


@users.route("/me")
@versioned
@reads(PERSON)
@users.response(200, shapes.User)
def get_me(context: RequestContext[None]) -> WithHeaders[User]:
    """Get the caller's user account."""
    assert context.actor.user_id is not None
    return tagged(User.of(context.db.execute(User.by_id(context.actor.user_id)).one()))


@users.route("/me", methods=["PATCH"])
@refuses("rate_limited", "stale")
@accepts_headers(IF_MATCH)
@changes(PERSON, action="user.changed")
@users.arguments(shapes.UserChanges, example={"name": "Ada King", "locale": "en-GB"})
@users.response(200, shapes.User)
def update_me(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[User]:
    """Update the caller's name, mail address, time zone or locale.

    A link to confirm a new mail address is sent to it, and a notice to the present one, which stays until then;
    `pendingEmail` is the new one. To send the present address withdraws it. At most five others within a day.
    """
    user_id, email = context.actor.user_id, body.pop("email", None)
    assert user_id is not None
    present = locked_user(context.db, user_id)
    if not context.any_version:
        require_match(request, present)
    if email is not None:
        request_email_change(context.db, actor=context.actor, user_id=user_id, email=email, now=context.now)
    return tagged(change_user(context.db, user_id=user_id, changes=body))


@users.route("/me", methods=["DELETE"])
@refuses("still_open", "stale")
@accepts_headers(IF_MATCH)
@changes(PERSON, action="user.deleted", in_person=True)
@users.arguments(privacy_shapes.Deletion, location="query")
@users.response(204)
def delete_me(context: RequestContext[None], query: dict[str, bool]) -> None:
    """Delete the caller's account, and erase what tells of the person.

    Sessions, what was paid for them and counts are kept, without names, addresses and texts; so are the ids. Tokens of
    the person are refused from then on, and the mail address can be used for another account. While sessions, requests
    or credits are open, it is refused with their ids; with `cancel=true` they are cancelled first, by the usual rules
    and with the fees of their policies. A session in progress has to be completed or voided before.
    """
    user_id = context.actor.user_id
    assert user_id is not None
    delete_account(
        context.db,
        user_id=user_id,
        cancel=query["cancel"],
        now=context.now,
        policy=app_state().policy,
        require_version=partial(require_match, request),
    )


@users.route("/me/revoke-links", methods=["POST"])
@changes(PERSON, action="links.revoked", about="user")
@users.arguments(EmptyBody, required=False, example={})
@users.response(204)
def revoke_links(context: RequestContext[None], _body: dict[str, Any]) -> None:
    """End every link that was mailed to the caller before, those to unsubscribe and to confirm an address too.

    A mail address that waits to be confirmed is withdrawn. Mails that are sent from then on have new links.
    """
    assert context.actor.user_id is not None
    end_links(context.db, context.actor.user_id)


@users.route("/me/export")
@reads(PERSON)
@users.response(200, privacy_shapes.Export)
def export_me(context: RequestContext[None]) -> Response:
    """Get all that is kept of the caller, as one object.

    Bookings, sessions and notes are shown as the caller sees them elsewhere: what the other side alone may see is left
    out. The object is sent as it is read; one that breaks off is no JSON.
    """
    state, user_id = app_state(), context.actor.user_id
    assert user_id is not None
    charge(EXPORT_COST)
    export = Export(
        transactions=state.transactions,
        user_id=user_id,
        mentor_profile_id=context.db.scalar(profile_of_user_query(user_id)),
        meetings=state.meetings,
        now=context.now,
    )
    answer = Response(export.chunks(), content_type="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="export.json"'
    return answer


@mentors.route("/mentor-profiles/<id:mentor_profile_id>", methods=["PATCH"])
@refuses("external_id_taken")
@changes(ANYONE, OWN_PROFILE, action="mentor_profile.changed")
@mentors.arguments(
    shapes.MentorProfileChanges, example={"headline": "Director of engineering", "skills": ["go", "hiring"]}
)
@mentors.response(200, shapes.MentorProfile)
def update_mentor_profile(context: RequestContext[Mentor], body: dict[str, Any]) -> WithHeaders[Mentor]:
    """Update a mentor profile, as its user or an operator; operators approve, reject and pause it by its `state`."""
    changed = change_mentor_profile(
        context.db,
        actor=context.actor,
        mentor=context.subject,
        changes=body,
        now=context.now,
        any_version=context.any_version,
    )
    return tagged(changed)


@mentors.route("/mentor-profiles", methods=["POST"])
@refuses("forbidden", "not_found", "profile_exists", "external_id_taken")
@changes(ANYONE, action="mentor_profile.created")
@mentors.arguments(shapes.NewMentorProfile)
@mentors.response(201, shapes.MentorProfile)
def create_mentor_profile(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[Mentor]:
    """Create a mentor profile.

    For the caller or, by operators, for `userId`. Skills are stored in lower case. With `MENTOR_APPROVAL`, its state is
    `pending`: it is not listed, and the mentor cannot be booked, until staff approve it.
    """
    user_id = body.pop("user_id", None) or context.actor.user_id
    if user_id is None:
        raise Invalid("As an operator, name the user.", details={"userId": ["Required for operators."]})
    approved = not app_state().settings.mentor_approval
    mentor = publish_mentor_profile(context.db, actor=context.actor, user_id=user_id, approved=approved, **body)
    return tagged(mentor, Location=f"/mentors/{mentor.id}")


def _mentors_list(_context: RequestContext[Any], filters: dict[str, Any]) -> PagedList[Any]:
    if "free_from" in filters:
        charge(PAGE_OF_SLOTS_COST)
        return FREE_MENTORS
    if filters.get("sort") is MentorSort.NEXT:
        charge(PAGE_OF_SLOTS_COST)
    return mentors_list(filters.get("sort"), searched=bool(filters.get("q")))


def _caller(context: RequestContext[None]) -> SlotCaller:
    state = app_state()
    return SlotCaller(
        actor=context.actor,
        time_zone=time_zone_of(context.db, context.actor),
        mentee_overlap=state.settings.mentee_overlap,
        closed_without_hours=state.settings.closed_without_hours,
    )


def _with_more(context: RequestContext[Any], found: Sequence[Mentor], filters: dict[str, Any]) -> Sequence[Mentor]:
    include = filters.get("include", ())
    if Include.NEXT_SLOT in include and "free_from" not in filters:
        charge(PAGE_OF_SLOTS_COST)
        found = with_slots(context.db, found, caller=_caller(context), now=context.now)
    if Include.LISTINGS not in include:
        return found
    listed = with_listings(context.db, found)
    charge(sum(len(each.listings) for each in listed) // LISTINGS_PER_REQUEST)
    return listed


@mentors.route("/mentors")
@cacheable
@mentors.response(200, shapes.MentorProfiles)
@list_route(VISITOR, _mentors_list, shapes.MentorFilters, with_more=_with_more)
def list_mentors(
    context: RequestContext[None],
    sort: MentorSort | None = None,
    include: object = None,  # noqa: ARG001
    **filters: Any,
) -> dict[str, Any]:
    """List active mentors, newest first unless `sort` or `q` asks for another order.

    With `freeFrom` and `freeTo`, those who have a slot there, each with the first one as `nextSlot`.

    `courseId`, `maxPrice`, `currency` and `durationMinutes` are about one active listing for which all of them hold.
    """
    if sort is MentorSort.NEXT or "free_from" in filters:
        return {**filters, "now": context.now, "caller": _caller(context)}
    return filters


@mentors.route("/skills")
@cacheable
@mentors.response(200, shapes.Skills)
@list_route(VISITOR, SKILLS, ListQuery)
def list_skills(_context: RequestContext[None]) -> dict[str, Any]:
    """List the skills of active mentors with how many have them, the commonest first."""
    return {}


@mentors.route("/mentors/<id:mentor_profile_id>")
@cacheable
@reads(VISITOR, MENTOR_PROFILE)
@mentors.response(200, shapes.MentorProfile)
def get_mentor(context: RequestContext[Mentor]) -> WithHeaders[Mentor]:
    """Get a mentor profile."""
    return tagged(context.subject)


@mentors.route("/mentors/<id:mentor_profile_id>/blocks", methods=["POST"])
@refuses("quota_reached")
@changes(ANYONE, BLOCKED_BY, action="block.created", about="block")
@mentors.arguments(shapes.NewBlock)
@mentors.response(201, shapes.Block)
def create_block(context: RequestContext[BlockOwner], body: dict[str, Any]) -> WithHeaders[Block]:
    """Block a person, as the mentor or an operator: they can book, hold and join nothing of the mentor.

    Sessions, seats and requests that they have stay as they are. To block them again changes nothing.
    """
    return tagged(block(context.db, actor=context.actor, mentor=context.subject, **body))


@mentors.route("/mentors/<id:mentor_profile_id>/blocks")
@mentors.response(200, shapes.Blocks)
@list_route(ANYONE, BLOCKS, ListQuery, within=BLOCKED_BY)
def list_blocks(context: RequestContext[BlockOwner]) -> dict[str, Any]:
    """List whom a mentor has blocked, the newest first; for the mentor and operators."""
    return {"mentor_profile_id": context.subject.mentor_profile_id}


@mentors.route("/mentors/<id:mentor_profile_id>/blocks/<id:user_id>", methods=["DELETE"])
@changes(ANYONE, BLOCK, action="block.deleted")
@mentors.response(204)
def delete_block(context: RequestContext[Block]) -> None:
    """Let a person book again, as the mentor or an operator."""
    lift_block(context.db, actor=context.actor, lifted=context.subject)
