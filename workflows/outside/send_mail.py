"""Send one person the mail of one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from models.engagement import Channel, notifications
from models.people import users
from workflows.events.delivery import Delivery
from workflows.events.outcomes import Cancel, Sent
from workflows.events.subscriptions import OutsideEffect, send_outside
from workflows.notifications.compose import Words, as_html


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail to one person; `delivery_id` makes its Message-ID, the same on every attempt."""

    delivery_id: UUID
    to_name: str
    to_address: str
    subject: str
    text: str
    html: str
    occurred_at: datetime


def prepare(db: Connection, delivery: Delivery) -> Mail:
    """Read the words that were written for this person, and where they go.

    Raises:
        Cancel: there is no such notification any more.
    """
    row = db.execute(
        select(users.c.name, users.c.email, notifications.c.title, notifications.c.body)
        .join_from(notifications, users, users.c.id == notifications.c.user_id)
        .where(
            notifications.c.event_id == delivery.event.id,
            notifications.c.user_id == UUID(delivery.target),
            notifications.c.channel == Channel.EMAIL,
        )
    ).one_or_none()
    if row is None:
        raise Cancel("There is no notification to be mailed.")
    return Mail(
        delivery_id=delivery.id,
        to_name=row.name,
        to_address=row.email,
        subject=row.title,
        text=row.body + "\n",
        html=as_html(Words(row.title, row.body)),
        occurred_at=delivery.event.occurred_at,
    )


def settle(db: Connection, delivery: Delivery, sent: Sent) -> None:
    """A mail leaves nothing behind but its delivery."""


SEND_MAIL = send_outside(
    OutsideEffect(name="mail.send", queue="notifications", transport="mail", prepare=prepare, settle=settle)
)
