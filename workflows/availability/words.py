"""Hours in words, for whoever is refused because of them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from workflows.availability.hours import Hours, Span

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def around(hours: Hours, moment: datetime) -> str:
    """A sentence about the weekday, on the clocks of the hours, on which a moment lies."""
    weekday = moment.astimezone(ZoneInfo(hours.time_zone)).weekday()
    day, zone = WEEKDAYS[weekday], hours.time_zone
    spans = [f"from {from_to(span)}" for span in _joined(hours, weekday)]
    if not spans:
        return f"The mentor cannot be booked on {day} ({zone})."
    return f"The mentor can be booked on {day} {', '.join(spans)} ({zone}), and all of the session must lie within."


def overlap(earlier: Span, later: Span) -> str:
    """What is wrong with two spans of a weekday."""
    return f"On {WEEKDAYS[later.weekday]}, {from_to(earlier)} and {from_to(later)} overlap."


def from_to(span: Span) -> str:
    """A span by its ends."""
    return f"{clock(span.opens)} to {clock(span.closes)}"


def clock(minutes: int) -> str:
    """Minutes since midnight as clocks show them, from 00:00 to the 24:00 at the day's end."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _joined(hours: Hours, weekday: int) -> list[Span]:
    joined: list[Span] = []
    for span in (each for each in hours.spans if each.weekday == weekday):
        if joined and joined[-1].closes == span.opens:
            joined[-1] = Span(weekday, joined[-1].opens, span.closes)
        else:
            joined.append(span)
    return joined
