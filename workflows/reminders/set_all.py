"""Set the reminders of a session: an event each, which waits for its time as any other timer does."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, String, func, select

from models.bookings import bookings
from models.catalog import listings
from models.events import events
from models.sessions import SessionStatus, sessions
from workflows.events.catalogue import SessionCreated, SessionEvent, SessionReminderSet
from workflows.events.event import own_fields
from workflows.events.record import record
from workflows.house_rules import HouseRules
from workflows.identity.actor import SYSTEM
from workflows.reminders.times import Reminder, reminders_of


def set_all(db: Connection, event: SessionCreated, *, rules: HouseRules, now: datetime) -> None:
    """Record what is to come, by the listing's times or else the house's; once, however often this runs.

    What lay before the session was made is left out, and so is what would come too late to be of use by now.
    """
    row = db.execute(_listing_and_reminders(event.session_id)).one()
    if row.status is not SessionStatus.SCHEDULED:
        return
    minutes = rules.reminder_minutes if row.reminder_minutes is None else row.reminder_minutes
    for reminder in reminders_of(event.start_time, minutes, since=event.occurred_at):
        if reminder.useful_until > now and not _is_set(row, reminder):
            record(db, _event(event, reminder, now))


def _event(session: SessionCreated, reminder: Reminder, now: datetime) -> SessionReminderSet:
    about = {name: getattr(session, name) for name in own_fields(SessionEvent)}
    return SessionReminderSet(actor=SYSTEM.name, occurred_at=now, **about, **vars(reminder))


def _listing_and_reminders(session_id: UUID) -> Select[Any]:
    already = select(func.array_agg(events.c.data["minutes_before"].astext.cast(String))).where(
        events.c.subject_id == session_id, events.c.type == SessionReminderSet.type
    )
    return (
        select(sessions.c.status, listings.c.reminder_minutes, already.scalar_subquery().label("already"))
        .join_from(sessions, bookings, bookings.c.id == sessions.c.booking_id)
        .join(listings, listings.c.id == bookings.c.listing_id)
        .where(sessions.c.id == session_id)
    )


def _is_set(row: Row[Any], reminder: Reminder) -> bool:
    return str(reminder.minutes_before) in (row.already or ())
