"""When people are reminded of a session, and how late a reminder is still of use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class Reminder:
    """One reminder, and until when it may be late: until the next one's time, and the last until the start."""

    minutes_before: int
    remind_at: datetime
    useful_until: datetime


def reminders_of(start: datetime, minutes: Iterable[int], *, since: datetime) -> list[Reminder]:
    """The reminders of a session that starts then; what would have come by `since` is left out.

    Real time is what counts: across a change of the clocks, an hour before the start is an hour before the start.

    Args:
        minutes: before the start, in any order.
    """
    ahead = sorted(set(minutes), reverse=True)
    times = [*(start - timedelta(minutes=each) for each in ahead), start]
    planned = [
        Reminder(minutes_before=each, remind_at=at, useful_until=until)
        for each, (at, until) in zip(ahead, pairwise(times), strict=True)
    ]
    return [reminder for reminder in planned if reminder.remind_at > since]
