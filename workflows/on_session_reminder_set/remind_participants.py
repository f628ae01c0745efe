"""Remind both sides of their session, when the reminder's time has come."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionReminderSet
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import tell
from workflows.notifications.people import parties_of
from workflows.reminders.still import is_of_use
from workflows.reminders.words import session_reminder


def time_of(event: SessionReminderSet) -> datetime:
    """When it is to be said."""
    return event.remind_at


@subscribe(SessionReminderSet, name="notifications.session_reminder", queue="notifications", due=time_of)
def remind_participants(db: Connection, event: SessionReminderSet, *, now: datetime) -> None:
    """Nobody is reminded of what has begun or is off; a late reminder says how little time is left."""
    if is_of_use(db, event, now=now):
        parties = parties_of(db, event.booking_id)
        letters = [(reader, session_reminder(event, parties, reader, now=now)) for reader in parties.everybody]
        tell(db, event, kind="session_reminder", letters=letters)
