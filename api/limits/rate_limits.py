"""Rate limits per caller, publishable key and address, and the headers that show them.

The headers follow draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` has each limit's quota (`q`) and
window in seconds (`w`), `RateLimit` how much of it remains (`r`) for the next seconds (`t`).
"""

from collections.abc import Sequence
from functools import cache
from math import ceil
from typing import Literal, NamedTuple

from api.http.client_addresses import counted_address
from api.limits.counters import Count, Counter, make_counter
from config.limits import RateLimit
from config.settings import Settings
from workflows.identity.actor import Claim
from workflows.kernel.errors import RateLimited

# The limits that routes declare, besides the caller's and the address's.
RouteLimit = Literal["booking", "telemetry"]
POLICIES = ("caller", "address", "booking", "visitor", "key", "telemetry", "auth_failures")


class Counted(NamedTuple):
    """One limit, and its window before the present request; `key` is the window's name."""

    policy: str
    limit: RateLimit
    window: Count
    key: str

    @property
    def is_full(self) -> bool:
        return self.window.used >= self.limit.amount


class RateLimits:
    """The limits of one process. `counter`: as the settings have it when left out."""

    def __init__(self, settings: Settings, counter: Counter | None = None) -> None:
        self._limits: dict[str, RateLimit | None] = {
            policy: getattr(settings, f"rate_limit_{policy}") for policy in POLICIES
        }
        self._counter = counter or make_counter(settings.redis_url)

    def count(self, *, address: str | None, claim: Claim | None, limit: RouteLimit | None = None) -> list[Counted]:
        """Count a request; in no window if one of them is full.

        Args:
            address: where it comes from.
            claim: who sends it, verified; None for a caller who is not known.
            limit: the one that its route declares.
        """
        counted = counted_address(address or "")
        windows: list[tuple[str, str]] = []
        if claim is not None and claim.visitor is not None:
            # Those of one site alone, so that a busy neighbour at the same address takes nothing from another site.
            windows.append(("visitor", f"{claim.visitor}:{counted}"))
            if claim.visitor:
                windows.append(("key", claim.visitor))
        elif claim is not None:
            caller = _name_of(claim)
            windows.append(("caller", caller))
            if limit == "booking":
                windows.append(("booking", caller))
        if limit == "telemetry":
            windows.append(("telemetry", counted))
        windows.append(("address", counted))
        return self._counted(windows)

    def charge(self, counted: Sequence[Counted], cost: int) -> list[Counted]:
        """Count a request that was let through as so many more, since it takes as long as they do.

        Args:
            counted: its windows.
        """
        if counted:
            self._counter.count([(each.key, each.limit) for each in counted], cost)
        return [each._replace(window=each.window._replace(used=each.window.used + cost)) for each in counted]

    def count_failure(self, address: str | None) -> list[Counted]:
        return self._counted([("auth_failures", counted_address(address or ""))])

    def _counted(self, windows: Sequence[tuple[str, str]]) -> list[Counted]:
        limited = [(policy, limit, f"{policy}:{key}") for policy, key in windows if (limit := self._limits[policy])]
        if not limited:
            return []
        counts = self._counter.count([(key, limit) for _policy, limit, key in limited])
        return [Counted(policy, limit, count, key) for (policy, limit, key), count in zip(limited, counts, strict=True)]


def refusal(counted: Sequence[Counted]) -> RateLimited | None:
    """The refusal of a request for which a window is full; None where none is."""
    waits = [each.window.seconds for each in counted if each.is_full]
    if not waits:
        return None
    seconds = max(1, ceil(max(waits)))
    return RateLimited(f"Too many requests; try again in {seconds} seconds.", retry_after=seconds)


def headers_of(counted: Sequence[Counted]) -> list[tuple[str, str]]:
    """The headers that show limits, the present request among what is used; none without a limit."""
    if not counted:
        return []
    # A request that one window refuses is counted in no other.
    used = 0 if any(each.is_full for each in counted) else 1
    left = [
        f'"{policy}";r={max(0, limit.amount - window.used - used)};t={ceil(window.seconds)}'
        for policy, limit, window, _key in counted
    ]
    policies = _policies_of(tuple((policy, limit) for policy, limit, _window, _key in counted))
    return [("RateLimit-Policy", policies), ("RateLimit", ", ".join(left))]


@cache
def _policies_of(limits: tuple[tuple[str, RateLimit], ...]) -> str:
    # As many as there are kinds of requests: the settings hold the limits.
    return ", ".join(f'"{policy}";q={limit.amount};w={limit.seconds}' for policy, limit in limits)


def _name_of(claim: Claim) -> str:
    if claim.operator is not None:
        return f"operator:{claim.operator}"
    if claim.key_digest is not None:
        return f"key:{claim.key_digest.hex()}"
    if claim.external_id is not None:
        # No external id is the name of somebody else, such as `operator:ada`.
        return f"external:{claim.external_id}"
    return str(claim.user_id or claim.mentor_profile_id)
