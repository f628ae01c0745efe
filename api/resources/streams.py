"""Live updates: documented here and redirected to their own process; a reverse proxy may forward them there."""

from flask import redirect, request
from werkzeug.wrappers import Response

from api.routes.blueprints import KEY_IN_QUERY, Area, refuses
from api.routes.context import PERSON, VISITOR, RequestContext
from api.routes.loaders import reads
from api.state import app_state
from workflows.kernel.errors import NotFound

streams = Area(
    "Live updates",
    "Server-sent events, at most five connections a user (429 `rate_limited`). First comes `snapshot`, then each change"
    " within a second of its commit, and a comment every 15 seconds. `Last-Event-ID` continues where a connection broke"
    " off; where that is unknown or too long ago, `reset` and a new snapshot follow.",
)

EVENT_STREAM = "text/event-stream"
_AVAILABILITY = (
    "retry: 2000\n\n"
    "id: 748:748:\nevent: snapshot\n"
    'data: {"mentorProfileId":"0190b6a2-7c1e-7d10-8a44-97ab5cf5cfd6","busy":[]}\n\n'
    "id: 751.4711\nevent: busy\n"
    'data: {"startTime":"2030-05-04T09:00:00Z","endTime":"2030-05-04T10:00:00Z"}\n\n'
    "id: 753.4719\nevent: group\n"
    'data: {"groupSessionId":"0190b6a2-9d44-7a31-b1f0-5f2c8e6a7d10","capacity":8,"seatsTaken":8,"seatsOffered":0,'
    '"full":true}\n\n'
)
_SESSIONS = (
    'retry: 2000\n\nid: 748:748:\nevent: snapshot\ndata: {"items":[]}\n\n'
    "id: 755.4731\nevent: waitlist\n"
    'data: {"groupSessionId":"0190b6a2-9d44-7a31-b1f0-5f2c8e6a7d10","position":1,'
    '"offer":{"expiresAt":"2030-05-04T09:00:00Z"}}\n\n'
)
_LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "required": False,
    "description": "The `id` of the last event that you have seen.",
    "schema": {"type": "string"},
}
_ELSEWHERE = "The address of the process that serves live updates. Browsers send no `Authorization` to another origin."
_LOCATION = {"Location": {"schema": {"type": "string", "format": "uri"}}}
_MENTOR = {"in": "query", "name": "mentorProfileId", "required": True, "schema": {"type": "string", "format": "uuid"}}


@streams.route("/streams/availability")
@refuses("invalid_request", "not_found")
@reads(VISITOR)
@streams.doc(parameters=[_MENTOR, _LAST_EVENT_ID, KEY_IN_QUERY])
@streams.response(200, {"type": "string"}, content_type=EVENT_STREAM, example=_AVAILABILITY)
@streams.alt_response(307, description=_ELSEWHERE, headers=_LOCATION)
def stream_availability(_context: RequestContext[None]) -> Response:
    """Follow when a mentor is busy.

    `snapshot` has the busy times of the next 92 days, buffers included; then come `busy` and `free`, each with its
    times, and `hours` when slots are to be read again. With whom a mentor is busy is not shown. `group` has the seats
    of a group session of theirs when these have moved, and does not name who has them.
    """
    return _redirected()


@streams.route("/streams/sessions")
@refuses("not_found")
@reads(PERSON)
@streams.doc(parameters=[_LAST_EVENT_ID])
@streams.response(200, {"type": "string"}, content_type=EVENT_STREAM, example=_SESSIONS)
@streams.alt_response(307, description=_ELSEWHERE, headers=_LOCATION)
def stream_sessions(_context: RequestContext[None]) -> Response:
    """Follow the caller's sessions.

    `snapshot` has those that are scheduled or in progress; then comes `session` with the type of each change and the
    session. `waitlist` has the caller's place in the waiting list of a group session: a seat is kept for them until
    `offer.expiresAt`, or they are no longer on it (`position` null).
    """
    return _redirected()


def _redirected() -> Response:
    url = app_state().settings.streams_url
    if not url:
        raise NotFound("Live updates are not served at this address.")
    query = request.query_string.decode("latin-1")
    answer = redirect(f"{url.rstrip('/')}{request.path}{'?' if query else ''}{query}", code=307)
    answer.headers["Cache-Control"] = "no-store"
    return answer
