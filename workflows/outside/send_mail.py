"""Send one person the mail of one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from models.notifications import Channel, notifications
from models.people import users
from workflows.calendar.invitation import Guest, Invitation, invitation_for
from workflows.events.catalogue import WebhookEndpointEvent
from workflows.events.delivery import Delivery
from workflows.events.outcomes import Cancel, Sent
from workflows.events.subscriptions import OutsideEffect, send_outside
from workflows.notifications.compose import Words, as_html
from workflows.notifications.endpoint_news import news_of
from workflows.reminders.still import words_now

OPERATORS = "operators"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail to one person; `delivery_id` makes its Message-ID, the same on every attempt.

    `to_address` is None for the operators, whose address is a setting.
    """

    delivery_id: UUID
    to_name: str
    to_address: str | None
    subject: str
    text: str
    html: str
    occurred_at: datetime
    invitation: Invitation | None = None


def prepare(db: Connection, delivery: Delivery) -> Mail:
    """Read the words that were written for this person, and where they go.

    Raises:
        Cancel: there is no such notification any more, or what it says has lost its point.
    """
    if delivery.target == OPERATORS:
        return _to_operators(db, delivery)
    row = db.execute(
        select(users.c.name, users.c.email, users.c.time_zone, notifications.c.title, notifications.c.body)
        .join_from(notifications, users, users.c.id == notifications.c.user_id)
        .where(
            notifications.c.event_id == delivery.event.id,
            notifications.c.user_id == UUID(delivery.target),
            notifications.c.channel == Channel.EMAIL,
        )
    ).one_or_none()
    if row is None:
        raise Cancel("There is no notification to be mailed.")
    event, reader_id = delivery.event, UUID(delivery.target)
    words = words_now(db, event, reader_id, Words(row.title, row.body), now=delivery.now)
    guest = Guest(user_id=reader_id, time_zone=row.time_zone, name=row.name, address=row.email)
    return _mail(delivery, row.name, row.email, words, invitation_for(db, event, guest))


def settle(db: Connection, delivery: Delivery, message: Mail, sent: Sent) -> None:
    """A mail leaves nothing behind but its delivery."""


def _to_operators(db: Connection, delivery: Delivery) -> Mail:
    news = news_of(db, delivery.event) if isinstance(delivery.event, WebhookEndpointEvent) else None
    if news is None:
        raise Cancel("The webhook endpoint has been deleted.")
    return _mail(delivery, "Operators", None, news.words)


def _mail(
    delivery: Delivery, name: str, address: str | None, words: Words, invitation: Invitation | None = None
) -> Mail:
    return Mail(
        delivery_id=delivery.id,
        to_name=name,
        to_address=address,
        subject=words.title,
        text=words.body + "\n",
        html=as_html(words),
        occurred_at=delivery.event.occurred_at,
        invitation=invitation,
    )


SEND_MAIL = send_outside(
    OutsideEffect(
        name="mail.send",
        queue="notifications",
        transport="mail",
        prepare=prepare,
        settle=settle,
        settles=lambda _delivery, _message: False,
    )
)
