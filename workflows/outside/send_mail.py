"""Send one person the mail of one event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from models.notifications import Channel, notification_preferences, notifications
from models.people import users
from workflows.calendar.invitation import Guest, Invitation, invitation_for
from workflows.events.catalogue import WebhookEndpointEvent
from workflows.events.delivery import Delivery
from workflows.events.outcomes import Cancel
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound
from workflows.notifications.choices import Choice, is_chosen
from workflows.notifications.compose import Words
from workflows.notifications.concerned import concerned, is_party
from workflows.notifications.endpoint_news import news_of
from workflows.notifications.unsubscribe import can_be_stopped, is_stopped
from workflows.reminders.still import words_now

OPERATORS = "operators"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail to one person; `delivery_id` makes its Message-ID, the same on every attempt.

    `written_at` is its Date, and since when it waits: a reminder's event is much older than what it says.
    `to_address` is None for the operators, whose address is a setting; `choice` is what stops mails of this kind, and
    None where nothing does.
    """

    delivery_id: UUID
    to_name: str
    to_address: str | None
    words: Words
    written_at: datetime
    choice: Choice | None = None
    invitation: Invitation | None = None

    @property
    def subject(self) -> str:
        """What the reader's list of mails shows."""
        return self.words.title

    @property
    def text(self) -> str:
        """What it says, without what stands at the foot of every mail."""
        return self.words.body


def prepare(db: Connection, deliveries: Sequence[Delivery]) -> list[Mail | Exception]:
    """What each says, and where it goes; see `_mail`."""
    return prepare_each(deliveries, lambda delivery: _mail(db, delivery))


def _mail(db: Connection, delivery: Delivery) -> Mail:
    """Read the words that were written for this person, and where they go.

    Raises:
        Cancel: there is no such notification any more, its reader has unsubscribed since or is no party of it any
            more, or what it says has lost its point.
    """
    if delivery.target == OPERATORS:
        return _to_operators(db, delivery)
    row = db.execute(
        select(users.c.name, users.c.email, users.c.time_zone)
        .add_columns(notifications.c.kind, notifications.c.title, notifications.c.body, notifications.c.created_at)
        .add_columns(notification_preferences.c.wanted, is_party().label("party"))
        .join_from(notifications, users, users.c.id == notifications.c.user_id)
        .outerjoin(notification_preferences, is_chosen())
        .where(
            notifications.c.event_id == delivery.event.id,
            notifications.c.user_id == UUID(delivery.target),
            notifications.c.channel == Channel.EMAIL,
        )
    ).one_or_none()
    if row is None:
        raise Cancel("There is no notification to be mailed.")
    if is_stopped(row.kind, Channel.EMAIL, wanted=row.wanted):
        raise Cancel("Its reader wants no mails of this kind any more.")
    event, reader_id = delivery.event, UUID(delivery.target)
    concerned(event, party=row.party)
    words = words_now(db, event, reader_id, Words(row.title, row.body), now=delivery.now)
    guest = Guest(user_id=reader_id, time_zone=row.time_zone, name=row.name, address=row.email)
    return Mail(
        delivery_id=delivery.id,
        to_name=row.name,
        to_address=row.email,
        words=words,
        written_at=row.created_at,
        choice=_choice(reader_id, row.kind),
        invitation=invitation_for(db, event, guest),
    )


def _to_operators(db: Connection, delivery: Delivery) -> Mail:
    news = news_of(db, delivery.event) if isinstance(delivery.event, WebhookEndpointEvent) else None
    if news is None:
        raise Cancel("The webhook endpoint has been deleted.")
    return Mail(
        delivery_id=delivery.id,
        to_name="Operators",
        to_address=None,
        words=news.words,
        written_at=delivery.event.occurred_at,
    )


def _choice(user_id: UUID, kind: str) -> Choice | None:
    return Choice(user_id=user_id, kind=kind, channel=Channel.EMAIL) if can_be_stopped(kind, Channel.EMAIL) else None


SEND_MAIL = register_outbound(
    OutboundEffect(
        name="mail.send",
        queue="notifications",
        transport="mail",
        prepare=prepare,
    )
)
