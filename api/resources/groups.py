"""Group sessions: a mentor's time that several mentees share."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from api.http.etags import WithHeaders, tagged
from api.openapi.examples import example_of
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import ANYONE, OPERATOR_OR_MENTOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import groups as shapes
from api.state import app_state
from workflows.groups.capacity import change_capacity
from workflows.groups.records import GROUPS, Group, SeenGroup, not_a_group, seen_by
from workflows.groups.schedule import Schedule, schedule
from workflows.groups.templates import TEMPLATES, GroupTemplate, change_template, create_template
from workflows.identity.access import require_mentor_id, require_mentor_or_operator

group_sessions = Area(
    "Group sessions", "A mentor's time that several mentees share: each takes a seat, up to the group's capacity."
)

GROUP = Subject(name="group session", kind="booking", record=Group, absent=not_a_group)
OWN_GROUP = replace(GROUP, access=require_mentor_or_operator)
TEMPLATE = Subject(
    name="template", kind="group_session_template", record=GroupTemplate, access=require_mentor_or_operator
)


@group_sessions.route("/group-sessions")
@group_sessions.response(200, shapes.GroupSessions)
@list_route(ANYONE, GROUPS, shapes.GroupSessionFilters)
def list_group_sessions(
    context: RequestContext[None],
    *,
    open: bool | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    **filters: Any,
) -> dict[str, Any]:
    """List group sessions, earliest start first; without `from` and `to` those that are still to begin."""
    return {
        "user_id": context.actor.user_id,
        "open_at": context.now if open is True else None,
        "closed_at": context.now if open is False else None,
        "from_time": context.now if from_time is None and to_time is None else from_time,
        "to_time": to_time,
        **filters,
    }


@group_sessions.route("/group-sessions/<id:booking_id>")
@versioned
@refuses("not_a_group")
@reads(ANYONE, GROUP)
@group_sessions.response(200, shapes.GroupSession)
def get_group_session(context: RequestContext[Group]) -> WithHeaders[SeenGroup]:
    """Get a group session. Its mentor and operators see the participants."""
    return shown(context, context.subject)


@group_sessions.route("/group-sessions/<id:booking_id>", methods=["PATCH"])
@refuses("not_a_group", "invalid_transition", "group_full")
@changes(OPERATOR_OR_MENTOR, OWN_GROUP, action="group_session.changed")
@group_sessions.arguments(shapes.Capacity, example={"capacity": 8})
@group_sessions.response(200, shapes.GroupSession)
def update_group_session(context: RequestContext[Group], body: dict[str, Any]) -> Any:
    """Change the number of seats of a group session that has not begun.

    To no less than what is taken or offered. New seats are offered to the waiting list first.
    """
    changed = change_capacity(
        context.db,
        actor=context.actor,
        group=context.subject,
        now=context.now,
        policy=app_state().policy,
        any_version=context.any_version,
        **body,
    )
    return shown(context, changed)


@group_sessions.route("/group-session-templates", methods=["POST"])
@refuses("not_found", "mentor_does_not_teach", "quota_reached", "external_id_taken")
@changes(OPERATOR_OR_MENTOR, action="group_session_template.created")
@group_sessions.arguments(
    shapes.NewGroupTemplate, example=example_of(shapes.NewGroupTemplate, price={"amount": 1500, "currency": "USD"})
)
@group_sessions.response(201, shapes.GroupTemplate)
def create_group_session_template(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[GroupTemplate]:
    """Create a template of weekly group sessions.

    Defaults: the price of the course's only active product for a group seat (none or several: 400),
    `earlyStartMinutes` 15 (null: any time), `bufferMinutes` 0, `cancellation` 24 hours and 50 percent (null:
    participants cannot leave), `noShowFeePercent` 100, `reschedule` by agreement, 24 hours before the start and twice,
    `payment` as of that product or, with a `price`, the operator's default.
    """
    mentor_id: UUID | None = body.pop("mentor_profile_id")
    if body.get("price_amount") is not None:
        body = app_state().with_payment_mode(body)
    template = create_template(context.db, actor=context.actor, mentor_profile_id=mentor_id, columns=body)
    return tagged(template, Location=f"/group-session-templates/{template.id}")


@group_sessions.route("/group-session-templates")
@group_sessions.response(200, shapes.GroupTemplates)
@list_route(OPERATOR_OR_MENTOR, TEMPLATES, shapes.GroupTemplateFilters)
def list_group_session_templates(
    context: RequestContext[None], *, mentor_profile_id: UUID | None = None, **filters: Any
) -> dict[str, Any]:
    """List templates, newest first: a mentor's own; for operators the templates of all mentors."""
    wanted = mentor_profile_id or context.actor.mentor_profile_id
    if wanted is not None:
        require_mentor_id(context.actor, wanted, "A mentor sees templates of their own only.")
    return {"mentor_profile_id": wanted, **filters}


@group_sessions.route("/group-session-templates/<id:template_id>")
@versioned
@reads(OPERATOR_OR_MENTOR, TEMPLATE)
@group_sessions.response(200, shapes.GroupTemplate)
def get_group_session_template(context: RequestContext[GroupTemplate]) -> WithHeaders[GroupTemplate]:
    """Get a template, active or not."""
    return tagged(context.subject)


@group_sessions.route("/group-session-templates/<id:template_id>", methods=["PATCH"])
@refuses("mentor_does_not_teach", "external_id_taken")
@changes(OPERATOR_OR_MENTOR, TEMPLATE, action="group_session_template.changed")
@group_sessions.arguments(shapes.GroupTemplateChanges, example={"capacity": 8})
@group_sessions.response(200, shapes.GroupTemplate)
def update_group_session_template(
    context: RequestContext[GroupTemplate], body: dict[str, Any]
) -> WithHeaders[GroupTemplate]:
    """Update a template. Group sessions that are already scheduled stay as they are."""
    changed = change_template(
        context.db, actor=context.actor, template=context.subject, changes=body, any_version=context.any_version
    )
    return tagged(changed)


@group_sessions.route("/group-session-templates/<id:template_id>", methods=["DELETE"])
@changes(OPERATOR_OR_MENTOR, TEMPLATE, action="group_session_template.deleted")
@group_sessions.response(204)
def delete_group_session_template(context: RequestContext[GroupTemplate]) -> None:
    """Deactivate a template. Group sessions that are already scheduled stay."""
    change_template(
        context.db,
        actor=context.actor,
        template=context.subject,
        changes={"active": False},
        any_version=context.any_version,
    )


@group_sessions.route("/group-session-templates/<id:template_id>/schedule", methods=["POST"])
@refuses("mentor_does_not_teach", "template_inactive")
@changes(OPERATOR_OR_MENTOR, TEMPLATE, action="group_sessions.scheduled")
@group_sessions.arguments(shapes.SchedulePeriod)
@group_sessions.response(201, shapes.Schedule, description="At least one was made.")
@group_sessions.alt_response(
    200, schema=shapes.Schedule, description="None was made.", example=example_of(shapes.Schedule, made=[])
)
def schedule_group_sessions(context: RequestContext[GroupTemplate], body: dict[str, Any]) -> tuple[Schedule, int]:
    """Make the group sessions of a template's dates in a period of at most 366 days.

    Each date succeeds or fails alone, by the mentor's calendar and not by their weekly hours. A date is skipped if
    it `exists` already, is `past`, or if its time does not exist (`no_such_time`, where the clocks go forward); of a
    time that exists twice it is the first.
    """
    made = schedule(context.db, actor=context.actor, template=context.subject, now=context.now, **body)
    return (made, 201) if made.made else (made, 200)


def shown(context: RequestContext[object], group: Group) -> WithHeaders[SeenGroup]:
    """The return value of a view that answers with a group: as its caller sees it, with its ETag."""
    return tagged(seen_by(context.db, context.actor, group))
