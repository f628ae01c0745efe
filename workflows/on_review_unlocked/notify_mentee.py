"""Tell the mentee until when they may review their session."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import ReviewUnlocked
from workflows.events.subscriptions import subscribe
from workflows.notifications.notify import notify
from workflows.notifications.people import parties_of


@subscribe(ReviewUnlocked, name="notifications.review_unlocked", queue="notifications")
def notify_mentee(db: Connection, event: ReviewUnlocked, *, now: datetime) -> None:
    """The one whom the permit is for; of a group everybody has an event of their own."""
    parties = parties_of(db, event.booking_id)
    readers = [mentee for mentee in parties.mentees if mentee.user_id == event.mentee_user_id]
    notify(db, event, kind="review_unlocked", parties=parties, readers=readers)
