"""Notify the owner of a webhook endpoint: its mentor as anybody else, the operators by mail."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from models.engagement import Channel, notifications
from workflows.events.catalogue import WebhookEndpointEvent
from workflows.events.record import follow_up
from workflows.notifications.endpoint_news import EndpointNews, news_of
from workflows.outside.send_mail import OPERATORS, SEND_MAIL


def notify_owner(db: Connection, event: WebhookEndpointEvent) -> None:
    """Tell the owner once per channel, however often this runs; of an endpoint that is gone nobody is told."""
    news = news_of(db, event)
    if news is None:
        return
    if news.owner_user_id is None:
        follow_up(db, event, SEND_MAIL, [OPERATORS])
    else:
        _write(db, event, news)
        follow_up(db, event, SEND_MAIL, [str(news.owner_user_id)])


def _write(db: Connection, event: WebhookEndpointEvent, news: EndpointNews) -> None:
    rows = [
        {
            "id": uuid7(),
            "event_id": event.id,
            "user_id": news.owner_user_id,
            "channel": channel,
            "kind": news.kind,
            "title": news.words.title,
            "body": news.words.body,
        }
        for channel in Channel
    ]
    db.execute(insert(notifications).values(rows).on_conflict_do_nothing())
