"""How long a step took, kept as a histogram per day, mentor and course: which bucket it falls into, and the sum."""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta

from models.analytics import Transition

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE

# In milliseconds. A bucket begins at a bound and ends below the next one; there is one more below the first bound.
BOUNDS: dict[Transition, tuple[int, ...]] = {
    Transition.REQUEST_TO_DECISION: (
        *(minutes * _MINUTE for minutes in (1, 5, 15, 30)),
        *(hours * _HOUR for hours in (1, 2, 4, 8, 16, 24, 48, 72)),
    ),
    Transition.ACCEPTANCE_TO_SESSION: (
        *(50, 100, 250, 500),
        *(int(seconds * _SECOND) for seconds in (1, 2.5, 5, 10, 30, 60, 300)),
    ),
    Transition.START_DELAY: tuple(minutes * _MINUTE for minutes in (-10, -5, 0, 1, 5, 10, 15, 30, 60)),
    Transition.LENGTH: tuple(minutes * _MINUTE for minutes in (5, 15, 30, 45, 60, 90, 120, 180, 240, 480)),
}
# Clocks differ: what comes after something else takes no time at the least. Only a start may be early.
MAY_BE_NEGATIVE = Transition.START_DELAY


def bucket_of(transition: Transition, took: int) -> int:
    """The number of bounds that a time in milliseconds reached or passed."""
    return bisect_right(BOUNDS[transition], took)


def milliseconds(transition: Transition, took: timedelta) -> int:
    """Whole milliseconds, downwards."""
    whole = took // timedelta(milliseconds=1)
    return whole if transition is MAY_BE_NEGATIVE else max(0, whole)
