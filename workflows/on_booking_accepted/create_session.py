"""Create the session of the booking that was accepted, and set its reminders."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import Connection

from workflows.errors import Conflict
from workflows.events.catalogue import BookingAccepted, SessionCreated
from workflows.events.record import record
from workflows.events.subscriptions import subscribe
from workflows.house_rules import USUAL, HouseRules
from workflows.identity.actor import SYSTEM
from workflows.reminders.set_all import reminders_to_set
from workflows.sessions.create import create

log = structlog.get_logger(__name__)


@subscribe(BookingAccepted, name="sessions.create", queue="sessions", ruled=True)
def create_session(db: Connection, event: BookingAccepted, *, now: datetime, rules: HouseRules = USUAL) -> None:
    """One session per booking (M4, M5): a duplicate is taken for done."""
    try:
        session = create(db, booking_id=event.booking_id)
    except Conflict as duplicate:
        log.warning("session.exists_already", booking_id=event.booking_id, code=duplicate.code)
        return
    created = SessionCreated.about(session, actor=SYSTEM, now=now)
    record(db, created, *reminders_to_set(created, session.reminder_minutes, rules=rules, now=now))
