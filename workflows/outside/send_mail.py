"""Send one person the mail of one event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid, text

from models.base import Timestamp
from models.notifications import Channel
from workflows.calendar.invitation import Guest, Invitation, invitation_for, meetings_of
from workflows.calendar.meeting import Meeting
from workflows.events.catalogue import WebhookEndpointEvent
from workflows.events.delivery import Cancel, Delivery
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound
from workflows.notifications.endpoint_news import news_of
from workflows.notifications.preferences import Choice, can_be_stopped, is_stopped
from workflows.notifications.recipients import IS_PARTY, require_recipient
from workflows.notifications.texts import Words
from workflows.reminders import words_now

OPERATORS = "operators"
_WRITTEN = text(
    f"""
SELECT n.event_id, n.user_id, n.kind, n.title, n.body, n.created_at, u.name, u.email, u.time_zone, p.wanted,
       {IS_PARTY} AS party
FROM unnest(CAST(:event_ids AS uuid[]), CAST(:user_ids AS uuid[])) AS asked(event_id, user_id)
JOIN notifications n ON n.event_id = asked.event_id AND n.user_id = asked.user_id AND n.channel = 'email'
JOIN users u ON u.id = n.user_id
LEFT JOIN notification_preferences p ON p.user_id = n.user_id AND p.kind = n.kind AND p.channel = n.channel
"""
).columns(event_id=Uuid(), user_id=Uuid(), created_at=Timestamp)


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
    """The words that were written for each person, and where they go; read for all of them at once. See `_mail`."""
    people = [delivery for delivery in deliveries if delivery.target != OPERATORS]
    found = {(row.event_id, row.user_id): row for row in _written_for(db, people)}
    meetings = meetings_of(db, (delivery.event for delivery in people))
    return prepare_each(
        deliveries,
        lambda delivery: (
            _to_operators(db, delivery) if delivery.target == OPERATORS else _mail(db, delivery, found, meetings)
        ),
    )


def _written_for(db: Connection, deliveries: Sequence[Delivery]) -> Iterable[Row[Any]]:
    if not deliveries:
        return ()
    event_ids = [delivery.event.id for delivery in deliveries]
    return db.execute(_WRITTEN, {"event_ids": event_ids, "user_ids": [UUID(each.target) for each in deliveries]})


def _mail(
    db: Connection,
    delivery: Delivery,
    found: Mapping[tuple[UUID, UUID], Row[Any]],
    meetings: Mapping[UUID, Meeting],
) -> Mail:
    """The mail of one event to one person.

    Raises:
        Cancel: there is no such notification any more, its reader has unsubscribed since or is no party of it any
            more, or what it says has lost its point.
    """
    event, reader_id = delivery.event, UUID(delivery.target)
    row = found.get((event.id, reader_id))
    if row is None:
        raise Cancel("There is no notification to be mailed.")
    if is_stopped(row.kind, Channel.EMAIL, wanted=row.wanted):
        raise Cancel("Its reader wants no mails of this kind any more.")
    require_recipient(event, is_party=row.party)
    words = words_now(db, event, reader_id, Words(row.title, row.body), now=delivery.now)
    guest = Guest(user_id=reader_id, time_zone=row.time_zone, name=row.name, address=row.email)
    return Mail(
        delivery_id=delivery.id,
        to_name=row.name,
        to_address=row.email,
        words=words,
        written_at=row.created_at,
        choice=_choice(reader_id, row.kind),
        invitation=invitation_for(event, meetings, guest),
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
