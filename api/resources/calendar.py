"""Calendar feeds (iCalendar) at secret addresses, for calendar applications to subscribe to."""

from typing import Any

from flask import Response, request

from api.database import database
from api.http.etags import WithHeaders
from api.http.headers import NOT_KEPT
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import PERSON, RequestContext, this_moment
from api.routes.loaders import changes
from api.schemas import notifications as shapes
from api.schemas.base import EmptyBody
from api.state import app_state
from workflows.calendar.feed import create_feed_secret, find_feed, render_feed
from workflows.kernel.errors import NotFound

calendar = Area("Calendar", "The caller's sessions as a feed for calendar applications (RFC 5545).")

ICALENDAR = "text/calendar"
CONTENT_TYPE = f"{ICALENDAR}; charset=utf-8"


_EXAMPLE = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tutelage//Tutelage//EN",
        "BEGIN:VEVENT",
        "UID:01985f3a-7c1e-7d20-9b54-2f6f0c8e1a01",
        "SEQUENCE:0",
        "DTSTAMP:20300501T123000Z",
        "DTSTART:20300504T090000Z",
        "DTEND:20300504T100000Z",
        "SUMMARY:From engineer to manager\\, with Grace Hopper",
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)


@calendar.route("/calendar/secret", methods=["POST"])
@changes(PERSON, action="calendar_secret.created", about="user", in_person=True)
@calendar.arguments(EmptyBody, required=False, example={})
@calendar.response(201, shapes.CalendarSecret)
def create_calendar_secret(context: RequestContext[None], _body: dict[str, Any]) -> WithHeaders[dict[str, str]]:
    """Create the secret address of the caller's calendar feed.

    It replaces an earlier one, and is shown only in this response.
    """
    secret = create_feed_secret(context.db, actor=context.actor)
    url = f"{app_state().settings.public_url}/calendar/{secret}.ics"
    return {"secret": secret, "url": url}, NOT_KEPT


@calendar.route("/calendar/<secret>.ics")
@refuses("blocked", "not_found", "internal_error", "unavailable")
@versioned
@calendar.response(200, {"type": "string"}, content_type=ICALENDAR, description="The calendar.", example=_EXAMPLE)
def get_calendar_feed(secret: str) -> Response:
    """Get a calendar feed.

    The address is the credential. The feed has the sessions of the past and the coming year, as mentor and as mentee,
    including cancelled ones.
    """
    db = database()
    meetings = app_state().meetings
    feed = find_feed(db, secret, meetings=meetings, now=this_moment())
    if feed is None:
        raise NotFound("There is no such calendar.")
    known = request.if_none_match.contains_weak(feed.tag)
    body = None if known else render_feed(db, feed, meetings=meetings)
    answer = Response(status=304) if body is None else Response(body, content_type=CONTENT_TYPE)
    answer.set_etag(feed.tag)
    return answer
