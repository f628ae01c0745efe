"""Count how far requests came, at the moment at which they were made: one cohort, whenever its parts followed."""

from __future__ import annotations

from workflows.analytics.count import Count
from workflows.analytics.history import History


def came_to(counter: str, history: History, *, individual: bool) -> list[Count]:
    """One more of a cohort's requests that came to something; nothing for a group, which nobody asked for.

    Args:
        counter: one of `models.analytics.REQUEST_COUNTERS`.
        individual: whether the booking is one mentee's.
    """
    if history.asked_at is None or not individual:
        return []
    return [Count(history.asked_at, {counter: 1})]
