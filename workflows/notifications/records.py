"""A person's notifications in the application: list, count, mark as read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select, update

from models.base import Timestamp
from models.notifications import notifications
from workflows.identity.actor import Actor
from workflows.kernel.paging import PagedList, narrowed
from workflows.kernel.records import Record

# Literal, so that the index over these alone is known to be enough.
_IN_APP = notifications.c.channel == literal_column("'in_app'")
_UNREAD = notifications.c.read_at.is_(None)
_UNREAD_OF_USER = (notifications.c.user_id == bindparam("of_user"), _IN_APP, _UNREAD)
_COUNT_UNREAD = select(func.count()).where(*_UNREAD_OF_USER)
_READ_ALL = update(notifications).where(*_UNREAD_OF_USER).values(read_at=bindparam("now"))


@dataclass(frozen=True, kw_only=True)
class Notification(Record):
    """A notification of one person, as the application shows it."""

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
        """1 until it is read, then 2: nothing else about it changes."""
        return 1 if self.read_at is None else 2


_READ = (
    update(notifications)
    .where(notifications.c.id == bindparam("notification"))
    .values(read_at=func.coalesce(notifications.c.read_at, bindparam("now", type_=Timestamp)))
    .returning(*Notification.columns())
)


def notification_query(notification_id: UUID) -> Select[Any]:
    """The notification of that id on the in-app channel."""
    return Notification.query().where(notifications.c.id == notification_id, _IN_APP)


def notifications_query(*, unread: bool | None = None) -> Select[Any]:
    """The notifications on the in-app channel.

    Args:
        unread: only those that are unread, or only those that are read; None for all.
    """
    return narrowed(Notification.query().where(_IN_APP), (unread, lambda: _UNREAD if unread else ~_UNREAD))


NOTIFICATIONS = PagedList(Notification, rows=notifications_query, of=("user_id",))


def count_unread(db: Connection, *, actor: Actor) -> int:
    return int(db.execute(_COUNT_UNREAD, {"of_user": actor.user_id}).scalar_one())


def read(db: Connection, *, notification: Notification, now: datetime) -> Notification:
    """Mark one as read; a second time changes nothing."""
    return Notification.of(db.execute(_READ, {"notification": notification.id, "now": now}).one())


def read_all(db: Connection, *, actor: Actor, now: datetime) -> int:
    """Mark all of the caller's as read, and return how many were not."""
    return db.execute(_READ_ALL, {"of_user": actor.user_id, "now": now}).rowcount
