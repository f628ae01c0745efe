"""Tell both sides that their session is off: why, what it costs, and what goes back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from models.sessions import sessions
from workflows.events.catalogue import SessionCancelled
from workflows.events.subscriptions import subscribe
from workflows.notifications.compose import Quotation
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(SessionCancelled, name="notifications.session_cancelled", queue="notifications")
def notify_participants(db: Connection, event: SessionCancelled, *, now: datetime) -> None:
    """Whoever cancelled it, too: of a fee one wants to have something in writing, and calendars hold it still.

    The reason is for the two sides alone, so that it is read here and is not part of the event.
    """
    cancellation = db.scalar(select(sessions.c.cancellation).where(sessions.c.id == event.session_id)) or {}
    reason = str(cancellation.get("reason") or "").strip()
    parties = parties_of(db, event.booking_id)
    notify(
        db,
        event,
        kind="session_cancelled",
        parties=parties,
        readers=parties.everybody,
        reason=Quotation(reason) if reason else None,
        refund_requested=bool(cancellation.get("refundRequested")),
    )
