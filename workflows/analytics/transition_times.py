"""How long each step took in a period, as a histogram: its buckets, and what can be said of the times between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Row, Select, cast, func, select

from models.analytics import Transition, daily_transition_times
from workflows.analytics.period import Period
from workflows.analytics.transitions import BOUNDS, MAY_BE_NEGATIVE
from workflows.analytics.whose import Whose

_ONE_MORE_DAY = timedelta(days=1) - timedelta(microseconds=1)


@dataclass(frozen=True)
class Bucket:
    """How many times lay from `from_seconds` to before `to_seconds`; None for an open end."""

    from_seconds: float | None
    to_seconds: float | None
    count: int


@dataclass(frozen=True)
class Histogram:
    """The times of one kind of step."""

    transition: Transition
    count: int
    milliseconds: int
    buckets: tuple[Bucket, ...]

    @property
    def average_seconds(self) -> float | None:
        """The mean, exact to the millisecond; None without any times."""
        return round(self.milliseconds / self.count / 1000, 3) if self.count else None

    def percentile(self, share: float) -> float | None:
        """About how many seconds that share of the times stayed below, by even spread within a bucket.

        Of an open end nothing more is known than its bound. None without any times.
        """
        wanted, below = share * self.count, 0
        for bucket in self.buckets:
            if bucket.count and below + bucket.count >= wanted:
                return _within(bucket, (wanted - below) / bucket.count)
            below += bucket.count
        return None


def transition_times_query(*, period: Period, whose: Whose) -> Select[Any]:
    """The buckets that hold anything; the days are UTC's, and those that the period touches count in whole."""
    times = daily_transition_times.c
    days = (times.day >= period.start.date(), times.day < (period.end + _ONE_MORE_DAY).date())
    count = cast(func.sum(times["count"]), BigInteger).label("held")
    taken = cast(func.sum(times.milliseconds), BigInteger).label("milliseconds")
    query = select(times.transition, times.bucket, count, taken).where(*days, whose.of(daily_transition_times))
    return query.group_by(times.transition, times.bucket)


def histograms_of(rows: Iterable[Row[Any]]) -> list[Histogram]:
    """A histogram per kind of step, in the order of a life, with empty buckets too."""
    found = {(row.transition, row.bucket): row for row in rows}
    return [_histogram(transition, found) for transition in Transition]


def _histogram(transition: Transition, found: dict[tuple[Transition, int], Row[Any]]) -> Histogram:
    lowest = None if transition is MAY_BE_NEGATIVE else 0.0
    edges = [lowest, *(bound / 1000 for bound in BOUNDS[transition]), None]
    rows = [found.get((transition, number)) for number in range(len(edges) - 1)]
    buckets = tuple(
        Bucket(low, high, row.held if row else 0) for low, high, row in zip(edges, edges[1:], rows, strict=False)
    )
    held = [row for row in rows if row]
    return Histogram(transition, sum(row.held for row in held), sum(row.milliseconds for row in held), buckets)


def _within(bucket: Bucket, share: float) -> float:
    low, high = bucket.from_seconds, bucket.to_seconds
    if low is None or high is None:
        return (low if low is not None else high) or 0.0
    return round(low + (high - low) * share, 3)
