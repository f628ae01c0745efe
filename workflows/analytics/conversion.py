"""Of the requests that were made in a period: how many were accepted, became sessions, were completed and reviewed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, cast, func, select

from models.analytics import REQUEST_COUNTERS
from workflows.analytics.period import Period
from workflows.analytics.slots import slots_of
from workflows.analytics.whose import Whose


@dataclass(frozen=True)
class Conversion:
    """One cohort of requests by single mentees, those for instant listings among them, and how far it has come."""

    requests: int
    accepted: int
    sessions: int
    completed: int
    reviewed: int

    @classmethod
    def of(cls, row: Row[Any]) -> Conversion:
        """What a row of `conversion_query` says."""
        return cls(*(row._mapping[counter] for counter in REQUEST_COUNTERS))

    def rate(self, part: int) -> float | None:
        """The share of the requests that came so far, 0 to 1; None where there were none."""
        return round(part / self.requests, 4) if self.requests else None


def conversion_query(*, period: Period, whose: Whose) -> Select[Any]:
    """One row with the sum of each counter of requests."""
    slots = slots_of(period)
    sums: list[ColumnElement[Any]] = [
        cast(func.coalesce(func.sum(slots.table.c[name]), 0), BigInteger).label(name) for name in REQUEST_COUNTERS
    ]
    return select(*sums).select_from(slots.source).where(slots.within, whose.of(slots.table))
