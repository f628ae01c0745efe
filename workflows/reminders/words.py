"""The words of reminders: when it is on the reader's own clock, and how long that is from now."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows.events.catalogue import SessionReminderSet
from workflows.notifications.compose import Words, compose
from workflows.notifications.people import Parties, Person, names_of

HOUR = 60
DAY = 24 * HOUR


def session_reminder(event: SessionReminderSet, parties: Parties, reader: Person, *, now: datetime) -> Words:
    """Remind a reader of a session, as it is at this moment."""
    return compose(
        "session_reminder",
        event=event,
        reader=reader,
        others=names_of(parties.mentees if reader == parties.mentor else (parties.mentor,)),
        title=parties.title,
        starts_in=in_words(event.start_time - now),
    )


def in_words(length: timedelta) -> str:
    """A length of time as people say it, to the minute up to six hours, then to the hour, from two days on in days."""
    minutes = max(1, round(length.total_seconds() / 60))
    if minutes >= 2 * DAY:
        return _counted(round(minutes / DAY), "day")
    if minutes >= 6 * HOUR:
        return _counted(round(minutes / HOUR), "hour")
    hours, rest = divmod(minutes, HOUR)
    parts = [_counted(hours, "hour")] * bool(hours) + [_counted(rest, "minute")] * bool(rest)
    return " and ".join(parts)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
