"""Tell the operators, by channels of their own, that a session has been booked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import SessionCreated
from workflows.events.subscriptions import subscribe
from workflows.house_rules import USUAL, HouseRules
from workflows.notifications.notices import hear_of, tell_operators


@subscribe(
    SessionCreated, name="channels.session_created", queue="notifications", ruled=True, wanted=hear_of(SessionCreated)
)
def tell_channels(db: Connection, event: SessionCreated, *, now: datetime, rules: HouseRules = USUAL) -> None:
    """Only where the operator has channels, and wants to hear of this."""
    tell_operators(db, event, rules=rules)
