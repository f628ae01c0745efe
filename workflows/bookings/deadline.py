"""How long a mentor has to decide about a request."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows.events.catalogue import BookingRequested

TIME_TO_DECIDE = timedelta(hours=72)


def deadline_of(event: BookingRequested) -> datetime:
    """When the request expires: at its start, and after 72 hours at the latest."""
    return min(event.start_time, event.occurred_at + TIME_TO_DECIDE)
