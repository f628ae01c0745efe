"""Outside calendars of mentors: the times at which they are busy elsewhere."""

from dataclasses import replace
from typing import Any

from api.http.etags import tagged
from api.resources.availability import CALENDAR, OWN_CALENDAR
from api.resources.slots import availability
from api.routes.blueprints import refuses
from api.routes.context import MENTOR, OPERATOR_OR_MENTOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes
from api.schemas import calendar_feeds as shapes
from api.state import app_state
from workflows.availability.dates import CalendarOwner
from workflows.availability.feeds import FEEDS, CalendarFeed, add_feed, feed_query, remove_feed
from workflows.identity.access import require_mentor, require_mentor_or_operator

# The application takes the area from here, with these routes in it.
__all__ = ["availability"]

READABLE = replace(CALENDAR, access=require_mentor_or_operator)
OWN_FEED = Subject(
    name="outside calendar", kind="calendar_feed", query=feed_query, record=CalendarFeed, access=require_mentor
)


@availability.route("/mentors/<id:mentor_profile_id>/calendar-feeds", methods=["POST"])
@refuses("calendar_feed_exists", "calendar_feed_limit")
@changes(MENTOR, OWN_CALENDAR, action="calendar_feed.created", about="calendar_feed")
@availability.arguments(shapes.NewCalendarFeed)
@availability.response(201, shapes.CalendarFeed)
def create_calendar_feed(context: RequestContext[CalendarOwner], body: dict[str, Any]) -> Any:
    """Add an outside calendar, whose entries keep the mentor from being booked.

    It is read at once, and again every quarter of an hour or as the operator has set. Sessions that are booked already
    stay, and so do requests, which cannot be accepted in such a time.
    """
    feed = add_feed(
        context.db,
        actor=context.actor,
        mentor=context.subject,
        seal=app_state().sealer.seal,
        allowed=app_state().settings.webhook_allowed_networks,
        now=context.now,
        **body,
    )
    return tagged(feed)


@availability.route("/mentors/<id:mentor_profile_id>/calendar-feeds")
@availability.response(200, shapes.CalendarFeeds)
@list_route(OPERATOR_OR_MENTOR, FEEDS, shapes.CalendarFeedFilters, within=READABLE)
def list_calendar_feeds(context: RequestContext[CalendarOwner]) -> dict[str, Any]:
    """List a mentor's outside calendars, newest first, with when each was read and why it was not."""
    return {"mentor_profile_id": context.subject.mentor_profile_id}


@availability.route("/mentors/<id:mentor_profile_id>/calendar-feeds/<id:calendar_feed_id>", methods=["DELETE"])
@changes(MENTOR, OWN_FEED, action="calendar_feed.deleted")
@availability.response(204)
def delete_calendar_feed(context: RequestContext[CalendarFeed]) -> Any:
    """Remove an outside calendar; its times can be booked again."""
    remove_feed(context.db, actor=context.actor, feed=context.subject, now=context.now)
