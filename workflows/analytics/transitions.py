"""How long a step took, kept as a histogram per day, mentor and course: which bucket it falls into, and the sum."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from models.analytics import Transition, daily_transition_times
from workflows.analytics.count import Counted
from workflows.clock import in_utc

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


class Step(Counted, Protocol):
    """An event that ends a stretch of time that is taken."""

    @property
    def occurred_at(self) -> datetime:
        """When the step was made."""


def take_time(db: Connection, transition: Transition, step: Step, *, since: datetime | None) -> None:
    """Add one to the bucket of the time that a step took, on the day in UTC on which it was made.

    Args:
        since: None where there is nothing to measure from, such as a request for an instant listing.
    """
    if since is None:
        return
    took = milliseconds(transition, step.occurred_at - since)
    times = daily_transition_times.c
    statement = insert(daily_transition_times).values(
        day=in_utc(step.occurred_at).date(),
        mentor_profile_id=step.mentor_profile_id,
        course_id=step.course_id,
        transition=transition,
        bucket=bisect_right(BOUNDS[transition], took),
        count=1,
        milliseconds=took,
    )
    db.execute(
        statement.on_conflict_do_update(
            index_elements=[times.day, times.mentor_profile_id, times.course_id, times.transition, times.bucket],
            set_={"count": times["count"] + 1, "milliseconds": times.milliseconds + took},
        )
    )


def milliseconds(transition: Transition, took: timedelta) -> int:
    """Whole milliseconds, downwards."""
    whole = took // timedelta(milliseconds=1)
    return whole if transition is MAY_BE_NEGATIVE else max(0, whole)
