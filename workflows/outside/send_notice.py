"""Tell the operators of one event by one of their channels."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from models.events import ErrorClass
from workflows.events.catalogue import WebhookEndpointEvent
from workflows.events.delivery import Delivery
from workflows.events.outcomes import Cancel, Sent
from workflows.events.subscriptions import OutsideEffect, send_outside
from workflows.notifications.compose import Words, compose
from workflows.notifications.endpoint_news import news_of


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice for one channel; `channel` is its name, which says nothing of its address."""

    delivery_id: UUID
    channel: str
    words: Words


def prepare(db: Connection, delivery: Delivery) -> Notice:
    """Put the event into words: ids and times, and nobody's name, since channels are read by many.

    Raises:
        Cancel: the webhook endpoint that it is about is gone.
    """
    return Notice(delivery_id=delivery.id, channel=delivery.target, words=_words(db, delivery))


def settle(db: Connection, delivery: Delivery, message: Notice, sent: Sent) -> None:
    """A notice leaves nothing behind but its delivery."""


def _words(db: Connection, delivery: Delivery) -> Words:
    event = delivery.event
    if not isinstance(event, WebhookEndpointEvent):
        return compose(f"notice_{event.type.replace('.', '_')}", event=event)
    news = news_of(db, event)
    if news is None:
        raise Cancel("The webhook endpoint has been deleted.", ErrorClass.DELETED)
    return news.words


SEND_NOTICE = send_outside(
    OutsideEffect(
        name="channels.send",
        queue="notifications",
        transport="channels",
        prepare=prepare,
        settle=settle,
        settles=lambda _delivery, _message: False,
    )
)
