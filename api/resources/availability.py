"""Weekly hours: when mentors can be booked."""

from __future__ import annotations

from typing import Any

from flask import request

from api import examples
from api.blueprints import Area, versioned
from api.context import ANYONE, MENTOR, RequestContext, Subject
from api.etags import any_version_will_do, tagged
from api.loaders import changes, reads
from api.schemas import availability as shapes
from workflows.availability.hours import WeeklyHours, set_hours, weekly_hours_query
from workflows.identity.parties import require_mentor

availability = Area("Availability", "When mentors can be booked: at any time, unless they have set weekly hours.")

HOURS = Subject(name="mentor", query=weekly_hours_query, record=WeeklyHours)
OWN_HOURS = Subject(name="mentor", query=weekly_hours_query, record=WeeklyHours, access=require_mentor)


@availability.route("/mentors/<id:mentor_profile_id>/hours")
@versioned
@reads(ANYONE, HOURS)
@availability.response(200, shapes.WeeklyHours, example=examples.WEEKLY_HOURS)
def get_weekly_hours(context: RequestContext[WeeklyHours]) -> Any:
    """Get a mentor's weekly hours."""
    return tagged(context.subject)


@availability.route("/mentors/<id:mentor_profile_id>/hours", methods=["PUT"])
@changes(MENTOR, OWN_HOURS)
@availability.arguments(shapes.NewWeeklyHours, example=examples.NEW_HOURS)
@availability.response(200, shapes.WeeklyHours, example=examples.WEEKLY_HOURS)
def update_weekly_hours(context: RequestContext[WeeklyHours], body: dict[str, Any]) -> Any:
    """Set the caller's weekly hours; bookings can then only be requested within them.

    They replace all previous hours, and follow the local time of `timeZone` (by default the profile's) across
    daylight saving time. Existing bookings and requests stay as they are.
    """
    any_version = any_version_will_do(request)
    hours = set_hours(
        context.db,
        actor=context.actor,
        seen=context.subject,
        spans=body["hours"],
        time_zone=body["time_zone"],
        now=context.now,
        any_version=any_version,
    )
    return tagged(hours)
