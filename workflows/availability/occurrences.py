"""What is read from an iCalendar object; apart from how it is read, which takes libraries that few processes need."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

Interval = tuple[datetime, datetime]


class CalendarRefused(Exception):
    """Raised for content from which no busy times are taken, with a sentence for the mentor."""


@dataclass
class Occurrences:
    """Times in UTC, in any order: `named` are those of entries that are identified by a UUID."""

    busy: list[Interval] = field(default_factory=list)
    named: dict[UUID, list[Interval]] = field(default_factory=dict)
