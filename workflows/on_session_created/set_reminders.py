"""Set the reminders of the session."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionCreated
from workflows.events.subscriptions import subscribe
from workflows.house_rules import USUAL, HouseRules
from workflows.reminders.set_all import set_all


@subscribe(SessionCreated, name="reminders.set", queue="notifications", ruled=True, retired=True)
def set_reminders(db: Connection, event: SessionCreated, *, now: datetime, rules: HouseRules = USUAL) -> None:
    """Run what processes of the release before have written: from now on they are set as the session is created."""
    set_all(db, event, rules=rules, now=now)
