"""Tell the operators of one event by one of their channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from models.events import ErrorClass
from workflows.events.catalogue import WebhookEndpointEvent
from workflows.events.delivery import Cancel, Delivery
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound
from workflows.notifications.endpoint_news import news_of
from workflows.notifications.texts import Words, compose


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice for one channel; `channel` is its name, which says nothing of its address."""

    delivery_id: UUID
    channel: str
    words: Words


def prepare(db: Connection, deliveries: Sequence[Delivery]) -> list[Notice | Exception]:
    """What each says; see `_notice`."""
    return prepare_each(deliveries, lambda delivery: _notice(db, delivery))


def _notice(db: Connection, delivery: Delivery) -> Notice:
    """Put the event into words: ids and times, and nobody's name, since channels are read by many.

    Raises:
        Cancel: the webhook endpoint that it is about is gone.
    """
    return Notice(delivery_id=delivery.id, channel=delivery.target, words=_words(db, delivery))


def _words(db: Connection, delivery: Delivery) -> Words:
    event = delivery.event
    if not isinstance(event, WebhookEndpointEvent):
        return compose(f"notice_{event.type.replace('.', '_')}", event=event)
    news = news_of(db, event)
    if news is None:
        raise Cancel("The webhook endpoint has been deleted.", ErrorClass.DELETED)
    return news.words


SEND_NOTICE = register_outbound(
    OutboundEffect(
        name="channels.send",
        queue="notifications",
        transport="channels",
        prepare=prepare,
    )
)
