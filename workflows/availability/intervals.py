"""Intervals of time, and those that are read from an iCalendar object: without the libraries that read it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

Interval = tuple[datetime, datetime]
T = TypeVar("T", int, datetime)


class CalendarRefused(Exception):
    """Raised for content from which no busy times are taken, with a sentence for the mentor."""


@dataclass
class Occurrences:
    """Times in UTC, in any order: `named` are the times of entries that are identified by a UUID."""

    busy: list[Interval] = field(default_factory=list)
    named: dict[UUID, list[Interval]] = field(default_factory=dict)


def merged(intervals: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """The intervals in their order, without overlap; intervals that touch become one."""
    found: list[tuple[T, T]] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
