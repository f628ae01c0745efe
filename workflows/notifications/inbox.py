"""A person's notifications in the application: how to find them, count them, and mark them as read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select, update

from models.notifications import notifications
from workflows.errors import Forbidden
from workflows.identity.actor import Actor
from workflows.paging import NEWEST_FIRST, Page, PagedList, newest_first
from workflows.records import Record

# Literal, so that the index over these alone is known to be enough.
_IN_APP = notifications.c.channel == literal_column("'in_app'")
_UNREAD = notifications.c.read_at.is_(None)


@dataclass(frozen=True, kw_only=True)
class Notification(Record):
    """What the application shows to one person."""

    table = notifications

    id: UUID
    user_id: UUID
    kind: str
    title: str
    body: str
    created_at: datetime
    read_at: datetime | None
    session_id: UUID | None
    booking_id: UUID | None

    @property
    def version(self) -> int:
        """Nothing else about it ever changes."""
        return 1 if self.read_at is None else 2


def notification_query(notification_id: UUID) -> Select[Any]:
    """The notification of that id, of the application's alone: mails are not shown there."""
    return Notification.query().where(notifications.c.id == notification_id, _IN_APP)


def notifications_query(page: Page, *, user_id: UUID, unread: bool | None = None) -> Select[Any]:
    """A user's notifications, the newest first.

    Args:
        unread: only those that are unread, or only those that are read; None for all.
    """
    query = Notification.query().where(_of(user_id), _IN_APP)
    if unread is not None:
        query = query.where(_UNREAD if unread else ~_UNREAD)
    return newest_first(query, page, notifications.c.id)


NOTIFICATIONS = PagedList(Notification, NEWEST_FIRST, notifications_query)


def count_unread(db: Connection, *, actor: Actor) -> int:
    """How many the caller has not read."""
    query = select(func.count()).where(_of(actor.user_id), _IN_APP, _UNREAD)
    return int(db.execute(query).scalar_one())


def read(db: Connection, *, notification: Notification, now: datetime) -> Notification:
    """Mark one as read; a second time changes nothing."""
    statement = (
        update(notifications)
        .where(notifications.c.id == notification.id)
        .values(read_at=func.coalesce(notifications.c.read_at, now))
        .returning(*Notification.columns())
    )
    return Notification.of(db.execute(statement).one())


def read_all(db: Connection, *, actor: Actor, now: datetime) -> int:
    """Mark all of the caller's as read, and return how many were not."""
    return db.execute(update(notifications).where(_of(actor.user_id), _IN_APP, _UNREAD).values(read_at=now)).rowcount


def reader_of(actor: Actor, notification: Notification) -> None:
    """Refuse everybody but the person whom it tells something.

    Raises:
        Forbidden: it is somebody else's.
    """
    if actor.user_id != notification.user_id:
        raise Forbidden("This notification is somebody else's.")


def _of(user_id: Any) -> ColumnElement[bool]:
    whose: ColumnElement[bool] = notifications.c.user_id == user_id
    return whose
