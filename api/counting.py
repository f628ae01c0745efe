"""What every answered request adds to the figures."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Histogram

from config import telemetry

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
OTHER_METHOD = "other"


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
