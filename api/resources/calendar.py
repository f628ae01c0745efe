"""The caller's calendar, for the programs that people keep theirs in: they subscribe to a secret address."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from api import examples
from api.blueprints import Area, refuses, versioned
from api.context import PERSON, RequestContext, this_moment
from api.database import database
from api.loaders import changes
from api.parts import parts
from api.schemas import notifications as shapes
from api.schemas.base import EmptyBody
from workflows.calendar.feed import find_feed, written_feed
from workflows.calendar.secret import make_secret
from workflows.errors import NotFound

calendar = Area("Calendar", "Every session of one's own, for a calendar program to subscribe to (RFC 5545).")

NOT_KEPT = {"Cache-Control": "no-store"}
ICALENDAR = "text/calendar"


@calendar.route("/calendar/secret", methods=["POST"])
@changes(PERSON)
@calendar.arguments(EmptyBody, required=False, example={})
@calendar.response(201, shapes.CalendarSecret, example=examples.CALENDAR_SECRET)
def make_calendar_secret(context: RequestContext[None], _body: dict[str, Any]) -> Any:
    """Make the secret address of the caller's calendar feed.

    An earlier one leads nowhere from then on. The answer is the only one that shows it.
    """
    secret = make_secret(context.db, actor=context.actor)
    url = f"{parts().settings.public_url}/calendar/{secret}.ics"
    return {"secret": secret, "url": url}, NOT_KEPT


@calendar.route("/calendar/<secret>.ics")
@refuses("not_found", "internal_error", "unavailable")
@versioned
@calendar.response(
    200, {"type": "string"}, content_type=ICALENDAR, description="The calendar.", example=examples.CALENDAR_FEED
)
def get_calendar_feed(secret: str) -> Any:
    """Read a calendar feed.

    The address is the credential. It holds the sessions that start from a year ago to a year from now, as mentor and
    as mentee; those that were cancelled say so.
    """
    db = database()
    feed = find_feed(db, secret, now=this_moment())
    if feed is None:
        raise NotFound("There is no such calendar.")
    # Whoever holds this very feed is not made to wait for another one to be written.
    known = request.if_none_match.contains_weak(feed.tag)
    answer = (
        Response(status=304) if known else Response(written_feed(db, feed), content_type=f"{ICALENDAR}; charset=utf-8")
    )
    answer.set_etag(feed.tag)
    # It belongs to whoever asked, and is asked for again each time.
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
