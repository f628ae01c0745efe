"""Until when a push message is useful: at most for a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows.events.catalogue import BookingUndecided, Event, SessionReminderSet, SessionStarted

USEFUL = timedelta(hours=24)


def useful_until(event: Event, *, written_at: datetime) -> datetime:
    """When there is no point any more in showing it: a day after it was written, or when what it calls for is over.

    Args:
        written_at: when the notification was; a reminder's event is much older than its text.
    """
    latest = written_at + USEFUL
    match event:
        case SessionReminderSet():
            return min(latest, event.useful_until)
        case BookingUndecided():
            return min(latest, event.expires_at)
        case SessionStarted():
            # However late it began.
            return min(latest, event.occurred_at + (event.end_time - event.start_time))
        case _:
            return latest
