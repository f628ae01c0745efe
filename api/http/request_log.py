"""Log line and metrics of a finished request, whichever process answered it."""

import re
import secrets
from functools import cache

import structlog
from prometheus_client import Counter, Histogram

from config import telemetry

log = structlog.get_logger("api.requests")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
OTHER_METHOD = "other"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def request_id_of(sent: str | None) -> str:
    """The caller's own id where it is one that can stand in a log, a new one otherwise."""
    return sent if sent and _SANE_ID.fullmatch(sent) else secrets.token_hex(16)


def known_method(method: str) -> str:
    """The method, or one word for all that are none: callers make up as many as they like."""
    return method if method in METHODS else OTHER_METHOD


def log_request(
    method: str, route: str | None, status: int, took: float, code: str | None, **named: str | None
) -> None:
    """Write the one line of a request that is done: nothing of its path, query, headers or body.

    Args:
        method: as it was sent.
        route: the rule of the route; None where no route was found.
        took: seconds.
        code: of the refusal, if it was one.
        named: what the context does not name already: `request_id`, `actor`.
    """
    more = {name: value for name, value in named.items() if value} if named else {}
    if code is not None:
        more["code"] = code
    duration_ms = round(took * 1000, 1)
    log.info("request", method=known_method(method), route=route, status=status, duration_ms=duration_ms, **more)


def count(method: str, route: str | None, status: int, took: float, code: str | None) -> None:
    answered, duration = _figures_of(known_method(method), route or NO_ROUTE, status)
    answered.inc()
    duration.observe(took)
    if code is not None:
        telemetry.REFUSALS.labels(code).inc()


@cache
def _figures_of(method: str, rule: str, status: int) -> tuple[Counter, Histogram]:
    # Looking a label up by its values takes a lock and half the time of counting.
    return telemetry.HTTP_REQUESTS.labels(method, rule, str(status)), telemetry.HTTP_DURATION.labels(method, rule)
