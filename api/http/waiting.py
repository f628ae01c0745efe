"""Prefer: wait (RFC 7240): an answer that may take a moment longer, so that it can show the session itself."""

import re
from time import monotonic, sleep
from uuid import UUID

import structlog
from flask import Request, Response, g, json, jsonify
from sqlalchemy.exc import SQLAlchemyError

from api.http.etags import tag_of
from api.routes.context import this_moment
from api.schemas.sessions import as_seen_by, shown_session
from api.state import app_state
from models.engine import autocommit
from workflows.sessions.records import SESSION, Session

log = structlog.get_logger("api.waiting")

MAX_WAIT_SECONDS = 10
_POLL_SECONDS = 0.02
_WAIT = re.compile(r'wait\s*=\s*"?(\d+)"?', re.IGNORECASE | re.ASCII)
_SESSION = re.compile(r"/sessions/([0-9a-f-]{36})")


def preferred_wait(request: Request) -> int:
    """How many seconds the caller would like to wait: 0 without a preference, and for one that makes no sense."""
    for preference in request.headers.get("Prefer", "").split(","):
        found = _WAIT.fullmatch(preference.partition(";")[0].strip())
        if found:
            # The first one counts (RFC 7240, section 2).
            digits = found[1].lstrip("0")
            return (
                MAX_WAIT_SECONDS
                if len(digits) > len(str(MAX_WAIT_SECONDS))
                else min(int(digits or "0"), MAX_WAIT_SECONDS)
            )
    return 0


def with_session(request: Request, response: Response) -> Response:
    """Turn a committed 202 into a 201 with the session, if the caller waits and it comes in time.

    At most half of the server's threads wait at a time; further callers get the 202, as do those whose
    query fails: the change has been committed, whatever happens now.
    """
    promised = _SESSION.fullmatch(response.location or "") if response.status_code == 202 else None
    seconds = preferred_wait(request) if promised else 0
    if promised is None or not seconds:
        return response
    places = app_state().waiting_places
    if not places.acquire(blocking=False):
        return response
    try:
        session = _await(UUID(promised[1]), monotonic() + seconds)
    except SQLAlchemyError as error:
        log.warning("wait given up", error=type(error).__name__)
        return response
    finally:
        places.release()
    return response if session is None else _both(response, session, seconds)


def _await(session_id: UUID, until: float) -> Session | None:
    while True:
        # A connection for the moment of each look: those who wait must not keep others from working.
        with autocommit(app_state().engine) as db:
            row = db.execute(SESSION, {"id": session_id}).one_or_none()
        if row is not None or monotonic() >= until:
            return None if row is None else Session.of(row)
        sleep(_POLL_SECONDS)


def _both(response: Response, session: Session, seconds: int) -> Response:
    # A replayed 202 may be an old one: by now the mentor may have completed the session.
    seen = as_seen_by(g.actor, session, meetings=app_state().meetings, now=this_moment())
    shown = shown_session(seen)
    promise = json.loads(response.get_data())
    if "booking" not in promise:
        # A series belongs to the booking's request, not to the booking.
        series = {"series": promise.pop("series")} if "series" in promise else {}
        promise = {"booking": promise, **series}
    promise["booking"]["session"] = {"id": shown["id"], "status": shown["status"]}
    answer = jsonify({**promise, "session": shown})
    answer.status_code = 201
    answer.headers["Location"] = response.headers["Location"]
    # Of what has been created, which is what Location names.
    answer.headers["ETag"] = tag_of(session)
    answer.headers["Preference-Applied"] = f"wait={seconds}"
    if "Idempotent-Replayed" in response.headers:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer
