"""What every answered request adds to the figures."""

from __future__ import annotations

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
    telemetry.HTTP_REQUESTS.labels(known, rule, str(status)).inc()
    telemetry.HTTP_DURATION.labels(known, rule).observe(took)
    if code is not None:
        telemetry.REFUSALS.labels(code).inc()


def count_unread(status: int) -> None:
    """Count a refusal of what was no HTTP, or too much of it to be read."""
    telemetry.HTTP_REQUESTS.labels(OTHER_METHOD, NO_ROUTE, str(status)).inc()
