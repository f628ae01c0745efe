"""Set the reminders of a session: an event each, which waits for its time as any other timer does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, String, func, select

from models.bookings import bookings
from models.catalog import listings
from models.events import events
from models.sessions import SessionStatus, sessions
from workflows.events.catalogue import SessionCreated, SessionEvent, SessionReminderSet, own_fields
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.operator_policy import OperatorPolicy
from workflows.reminders.times import reminders_of


def set_all(db: Connection, event: SessionCreated, *, policy: OperatorPolicy, now: datetime) -> None:
    """Record what is to come of a session that has been created before; once, however often this runs."""
    row = db.execute(_listing_and_reminders(event.session_id)).one()
    if row.status is SessionStatus.SCHEDULED:
        reminders = reminders_to_set(event, row.reminder_minutes, policy=policy, now=now)
        record(db, *(reminder for reminder in reminders if not _is_set(row, reminder)))


def reminders_to_set(
    session: SessionCreated, minutes: Sequence[int] | None, *, policy: OperatorPolicy, now: datetime
) -> list[SessionReminderSet]:
    """What is to come of a session, as events: each has a notification that waits for its time as any timer does.

    What lay before the session was made is left out, and so is what would come too late to be of use by now.

    Args:
        minutes: before the start, by its listing; None for those that the operator has chosen.
    """
    about = {name: getattr(session, name) for name in own_fields(SessionEvent)}
    chosen = policy.reminder_minutes if minutes is None else minutes
    return [
        SessionReminderSet(actor=SYSTEM.name, occurred_at=now, **about, **vars(reminder))
        for reminder in reminders_of(session.start_time, chosen, since=session.occurred_at)
        if reminder.useful_until > now
    ]


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


def _is_set(row: Row[Any], reminder: SessionReminderSet) -> bool:
    return str(reminder.minutes_before) in (row.already or ())
