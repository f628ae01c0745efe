"""Each request by its name: an id taken or made, bound to every log line, answered, and one line when it is done."""

from __future__ import annotations

import re
import secrets
from functools import cache
from time import perf_counter

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram

from api.etags import complete_tag, not_modified
from config import telemetry

log = structlog.get_logger("api.requests")

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
OTHER_METHOD = "other"


def register(app: Flask) -> None:
    """Follow every request of this application from its first moment to its answer."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def request_id_of(sent: str | None) -> str:
    """The caller's own id where it is one that can stand in a log, a new one otherwise."""
    return sent if sent and _SANE_ID.fullmatch(sent) else secrets.token_hex(16)


def name_actor(name: str) -> None:
    """Put the caller into this request's log lines and its audit entry."""
    g.actor_name = name
    structlog.contextvars.bind_contextvars(actor=name)


def _begin() -> None:
    request_id = request_id_of(request.headers.get("X-Request-Id"))
    kept = g._get_current_object()
    kept.began, kept.request_id = perf_counter(), request_id
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _end(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = g.request_id
    headers.setdefault("X-Content-Type-Options", "nosniff")
    # An answer shows what its caller may see. What may be kept, the catalogue above all, sets its own header.
    headers.setdefault("Cache-Control", "no-store")
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


def _log_and_count(response: Response) -> None:
    kept = g._get_current_object()
    refusal, method, rule = kept.get("refusal"), request.method, request.url_rule
    route, took = rule.rule if rule else None, perf_counter() - kept.began
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


def count(method: str | None, route: str | None, status: int, took: float, code: str | None) -> None:
    """Count an answer.

    Args:
        method: as it was sent; None for what was no HTTP at all.
        route: the rule of the route, never the path; None where no route was found.
        took: seconds.
        code: of the refusal, if it was one.
    """
    # Callers make up as many methods and paths as they like; the figures must not grow with them.
    known, rule = method if method in METHODS else OTHER_METHOD, route or NO_ROUTE
    answered, duration = _figures_of(known, rule, status)
    answered.inc()
    duration.observe(took)
    if code is not None:
        telemetry.REFUSALS.labels(code).inc()


@cache
def _figures_of(method: str, rule: str, status: int) -> tuple[Counter, Histogram]:
    # Looking a label up by its values takes a lock and half the time of counting.
    return telemetry.HTTP_REQUESTS.labels(method, rule, str(status)), telemetry.HTTP_DURATION.labels(method, rule)


def count_unread(status: int) -> None:
    """Count a refusal of what was no HTTP, or too much of it to be read."""
    telemetry.HTTP_REQUESTS.labels(OTHER_METHOD, NO_ROUTE, str(status)).inc()
