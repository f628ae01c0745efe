"""Tell the mentee that their bundle is used up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from models.catalog import courses
from workflows.events.catalogue import BundleExhausted
from workflows.events.subscriptions import subscribe
from workflows.notifications.compose import compose
from workflows.notifications.notify import tell
from workflows.notifications.people import person_of


@subscribe(BundleExhausted, name="notifications.bundle_exhausted", queue="notifications")
def notify_mentee(db: Connection, event: BundleExhausted, *, now: datetime) -> None:
    """A bundle has no mentor, so that nobody else is told."""
    mentee = person_of(db, event.mentee_user_id)
    course = db.scalar(select(courses.c.title).where(courses.c.id == event.course_id)) or "sessions"
    words = compose("bundle_exhausted", event=event, reader=mentee, course=course)
    tell(db, event, kind="bundle_exhausted", letters=[(mentee, words)])
