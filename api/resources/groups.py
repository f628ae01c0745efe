"""Group sessions: a mentor's time that several mentees share."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from api import examples
from api.blueprints import Area, refuses, versioned
from api.context import ANYONE, RequestContext, Subject
from api.etags import tagged
from api.lists import list_route
from api.loaders import reads
from api.schemas import groups as shapes
from workflows.groups.group import GROUPS, Group, SeenGroup, group_query, not_a_group, seen_by

group_sessions = Area(
    "Group sessions", "A mentor's time that several mentees share: each takes a seat, up to the group's capacity."
)

GROUP = Subject(name="group session", query=group_query, record=Group, absent=not_a_group)


@group_sessions.route("/group-sessions")
@group_sessions.response(200, shapes.GroupSessions, example=examples.page(examples.LISTED_GROUP))
@list_route(ANYONE, GROUPS, shapes.GroupSessionFilters)
def list_group_sessions(
    context: RequestContext[None],
    *,
    open: bool | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    **filters: UUID | None,
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
@group_sessions.response(200, shapes.GroupSession, example=examples.GROUP)
def get_group_session(context: RequestContext[Group]) -> Any:
    """Get a group session. Its mentor and operators see the participants."""
    return shown(context, context.subject)


def shown(context: RequestContext[Any], group: Group) -> Any:
    """The return value of a view that answers with a group: as its caller sees it, with its ETag."""
    seen = seen_by(context.db, context.actor, group)
    return tagged(seen, view=_view_of(seen))


def _view_of(group: SeenGroup) -> str | None:
    """What the representation depends on besides the group's version: the caller's place, names and attendance."""
    beside = repr((group.joined, group.waitlist_position, group.participants))
    return sha256(beside.encode()).hexdigest()[:16]
