"""Each request by its name: an id taken or made, bound to every log line, answered, and one line when it is done."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, g, request

from api.http.etags import complete_tag, not_modified
from api.http.request_log import count, known_method, log_request, request_id_of
from api.state import app_state
from infrastructure.tracing import request_span

if TYPE_CHECKING:
    from infrastructure.open_telemetry import OpenSpan


def register(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def name_actor(name: str) -> None:
    """Put the caller into this request's log lines and its audit entry."""
    g.actor_name = name
    structlog.contextvars.bind_contextvars(actor=name)


def _begin() -> Response | None:
    request_id = request_id_of(request.headers.get("X-Request-Id"))
    kept = g._get_current_object()
    kept.began, kept.request_id = perf_counter(), request_id
    structlog.contextvars.bind_contextvars(request_id=request_id)
    kept.span = request_span(known_method(request.method), request.environ.get("HTTP_TRACEPARENT"))
    return _preflight() if request.method == "OPTIONS" else None


def _preflight() -> Response | None:
    """The answer to a preflight request of a listed origin: before anything else, since it brings no credentials."""
    sent = request.headers
    fields = app_state().headers.of_preflight(sent.get("Origin"), sent.get("Access-Control-Request-Method"))
    if fields is None:
        return None
    answer = Response(status=204, headers=fields)
    del answer.headers["Content-Type"]
    return answer


def _end(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = g.request_id
    app_state().headers.complete(headers, request.environ.get("HTTP_ORIGIN"))
    location = headers.get("Location")
    if location and location.startswith("/") and not location.startswith("//"):
        # Below /api, addresses begin with it too; stored answers hold them without.
        headers["Location"] = request.script_root + location
    complete_tag(response)
    if not_modified(request, response):
        response.status_code = 304
        response.set_data(b"")
    _log_and_count(response)
    return response


def _forget(_error: BaseException | None) -> None:
    # The thread's next lines are about something else.
    structlog.contextvars.clear_contextvars()
    kept = g._get_current_object()
    if (span := kept.get("span")) is not None:
        _end_span(span, kept.get("status", 500), kept.request_id)


def _end_span(span: OpenSpan, status: int, request_id: str) -> None:
    rule = request.url_rule
    attributes: dict[str, str | int] = {"http.response.status_code": status, "tutelage.request.id": request_id}
    if rule is not None:
        attributes["http.route"] = rule.rule
    if status >= 500:
        span.failed = str(status)
    span.end(name=f"{known_method(request.method)} {rule.rule}" if rule else None, attributes=attributes)


def _log_and_count(response: Response) -> None:
    kept = g._get_current_object()
    rule, took, kept.status = request.url_rule, perf_counter() - kept.began, response.status_code
    route, refusal = rule.rule if rule else None, kept.get("refusal")
    count(request.method, route, response.status_code, took, refusal)
    log_request(request.method, route, response.status_code, took, refusal)
