"""Set the reminders of the session."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionCreated
from workflows.events.subscriptions import subscribe
from workflows.house_rules import USUAL, HouseRules
from workflows.reminders.set_reminders import set_reminders


@subscribe(SessionCreated, name="reminders.set", queue="notifications", ruled=True)
def remind_participants(db: Connection, event: SessionCreated, *, now: datetime, rules: HouseRules = USUAL) -> None:
    """A day and an hour before the start, unless its listing or the operator says otherwise."""
    set_reminders(db, event, rules=rules, now=now)
