"""Rate limits per caller and per address: counted before a request does anything, shown in the headers of its answer.

The headers are those of draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` has each limit's quota (`q`) and
window in seconds (`w`), `RateLimit` how much of it remains (`r`) for the next seconds (`t`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from flask import Flask, Response, g, request
from werkzeug.exceptions import ServiceUnavailable

from api.addresses import counted_address
from api.auth import CREDENTIAL_HEADERS, claim_of_request
from api.counters import Count, Counter, make_counter
from api.errors import answer_domain_error
from api.state import app_state
from config.limits import RateLimit
from config.settings import Settings
from workflows.errors import DomainError, RateLimited, Unauthenticated
from workflows.identity.actor import Claim

EXEMPT = "/health/"
# What takes a mentor's time, or asks for it.
BOOKING_RULES = frozenset(
    {
        "/bookings",
        "/bookings/individual",
        "/sessions/book",
        "/mentors/<id:mentor_profile_id>/holds",
        "/group-sessions/<id:booking_id>/join",
    }
)


class Counted(NamedTuple):
    """One limit, and its window before the present request."""

    policy: str
    limit: RateLimit
    window: Count

    @property
    def is_full(self) -> bool:
        """Whether the request is refused for it."""
        return self.window.used >= self.limit.amount


class RateLimits:
    """The limits of one process.

    Args:
        counter: as the settings have it when left out.
    """

    def __init__(self, settings: Settings, counter: Counter | None = None) -> None:
        self._caller = settings.rate_limit_caller
        self._address = settings.rate_limit_address
        self._booking = settings.rate_limit_booking
        self._failures = settings.rate_limit_auth_failures
        self._counter = counter or make_counter(settings.redis_url)

    def count(self, *, address: str | None, claim: Claim | None, books: bool) -> list[Counted]:
        """Count a request; in no window if one of them is full.

        Args:
            address: where it comes from.
            claim: who sends it, verified; None for a caller who is not known.
            books: whether it is one for a booking.
        """
        windows: list[tuple[str, RateLimit | None, str]] = []
        if claim is not None:
            caller = _name_of(claim)
            windows.append(("caller", self._caller, caller))
            if books:
                windows.append(("booking", self._booking, caller))
        windows.append(("address", self._address, counted_address(address or "")))
        return self._counted(windows)

    def count_failure(self, address: str | None) -> list[Counted]:
        """Count credentials that were refused."""
        return self._counted([("auth_failures", self._failures, counted_address(address or ""))])

    def _counted(self, windows: Sequence[tuple[str, RateLimit | None, str]]) -> list[Counted]:
        limited = [(policy, limit, f"{policy}:{key}") for policy, limit, key in windows if limit is not None]
        if not limited:
            return []
        counts = self._counter.count([(key, limit) for _policy, limit, key in limited])
        return [Counted(policy, limit, count) for (policy, limit, _key), count in zip(limited, counts, strict=True)]


def refusal(counted: Sequence[Counted]) -> RateLimited | None:
    """The refusal of a request for which a window is full; None where none is."""
    waits = [each.window.seconds for each in counted if each.is_full]
    if not waits:
        return None
    seconds = max(1, ceil(max(waits)))
    return RateLimited(f"Too many requests; try again in {seconds} seconds.", retry_after=seconds)


def headers_of(counted: Sequence[Counted]) -> dict[str, str]:
    """The headers that show limits, the present request among what is used; none without a limit."""
    if not counted:
        return {}
    # A request that one window refuses is counted in no other.
    used = 0 if any(each.is_full for each in counted) else 1
    policies = [f'"{each.policy}";q={each.limit.amount};w={each.limit.seconds}' for each in counted]
    left = [
        f'"{each.policy}";r={max(0, each.limit.amount - each.window.used - used)};t={ceil(each.window.seconds)}'
        for each in counted
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def register(app: Flask) -> None:
    """Count every request of an application, and show the limits in its answers."""
    app.before_request(_count)
    app.after_request(_show)
    app.register_error_handler(Unauthenticated, _answer_unauthenticated)


def _count() -> None:
    if request.path.startswith(EXEMPT):
        return
    state, rule = app_state(), request.url_rule
    try:
        claim = claim_of_request(state.authenticator)
    except (Unauthenticated, ServiceUnavailable):
        # Refused where the route wants to know, if it does.
        claim = None
    books = request.method == "POST" and rule is not None and rule.rule in BOOKING_RULES
    counted = state.rate_limits.count(address=request.remote_addr, claim=claim, books=books)
    g.counted = counted
    if (refused := refusal(counted)) is not None:
        raise refused


def _show(response: Response) -> Response:
    response.headers.update(headers_of(g.get("counted", ())))
    return response


def _answer_unauthenticated(error: DomainError) -> Response:
    """401, or 429 for the credentials of an address from which too many were refused."""
    if any(name in request.headers for name in CREDENTIAL_HEADERS):
        failures = app_state().rate_limits.count_failure(request.remote_addr)
        g.counted = failures
        return answer_domain_error(refusal(failures) or error)
    return answer_domain_error(error)


def _name_of(claim: Claim) -> str:
    if claim.operator is not None:
        return f"operator:{claim.operator}"
    return str(claim.user_id or claim.mentor_profile_id)
