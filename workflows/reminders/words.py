"""How long it is until a session, in the words of reminders."""

from __future__ import annotations

from datetime import timedelta

HOUR = 60
DAY = 24 * HOUR


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
