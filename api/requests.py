"""Each request by its name: an id taken or made, bound to every log line, answered, and one line when it is done."""

from __future__ import annotations

import re
import secrets
from time import perf_counter

import structlog
from flask import Flask, Response, g, request

from api.counting import count
from api.etags import not_modified

log = structlog.get_logger("api.requests")

VARY = "Authorization, X-User-Id, X-Mentor-Profile-Id"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def register(app: Flask) -> None:
    """Follow every request of this application from its first moment to its answer."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def request_id_of(sent: str | None) -> str:
    """The caller's own id where it is one that can stand in a log, a new one otherwise."""
    return sent if sent and _SANE_ID.fullmatch(sent) else secrets.token_hex(16)


def name_actor(name: str) -> None:
    """Put the caller into this request's log lines."""
    structlog.contextvars.bind_contextvars(actor=name)


def _begin() -> None:
    request_id = request_id_of(request.headers.get("X-Request-Id"))
    g.began, g.request_id = perf_counter(), request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _end(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = g.request_id
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if "Cache-Control" not in headers:
        # An answer shows what its caller may see: no shared cache keeps it, and a private one asks again each time.
        headers["Cache-Control"] = "private, no-cache"
        headers.add("Vary", VARY)
    location = headers.get("Location")
    if location and location.startswith("/") and not location.startswith("//"):
        # Below /api, addresses begin with it too; stored answers hold them without.
        headers["Location"] = request.script_root + location
    if not_modified(request, response):
        response.status_code = 304
        response.set_data(b"")
    _tell(response)
    return response


def _forget(_error: BaseException | None) -> None:
    # The thread's next lines are about something else.
    structlog.contextvars.clear_contextvars()


def _tell(response: Response) -> None:
    refusal, method, rule = g.get("refusal"), request.method, request.url_rule
    route, took = rule.rule if rule else None, perf_counter() - g.began
    refused = {"code": refusal} if refusal else {}
    count(method, route, response.status_code, took, refusal)
    log.info(
        "request",
        method=method,
        route=route,
        status=response.status_code,
        duration_ms=round(took * 1000, 1),
        **refused,
    )
